// SPDX-License-Identifier: MIT
/**
 * The one model every input becomes, and what the views hand to the renderer.
 *
 * Everything that grows with the recording is a typed-array column, so that a million nodes are a dozen
 * objects for the garbage collector. Names live once in `strings` and are referred to by index; a name is
 * never the key of an object (`__proto__` is a legal function name).
 *
 * The full Profile stays in the worker. The page gets a `ProfileInfo` (what panes and labels need) and,
 * for each question, a `View`. Three ideas carry the speed:
 *
 *  - a view is a Topology (who is under whom: depends on transforms and direction) plus values (depend on
 *    metric, window, threads). A brush only sends values: `topology` is null when the page has it already.
 *  - topology nodes are in breadth-first order, siblings heaviest first over the whole recording (stable
 *    under a brush): a row is a slice, the children of a node are a slice, x0 rises within a row.
 *  - self is not sent: it is the node's value minus the values of its children (`selfValue` in view/layout).
 */

/** Index into Profile.strings; -1 is "unknown". */
export type StringId = number;
/** Index into FuncTable. */
export type FuncId = number;
/** Index into TreeTable. */
export type NodeId = number;

export const LAYERS = ['user', 'dep', 'std', 'runtime', 'alloc', 'kernel', 'profiler', 'unknown'] as const;
export type LayerName = (typeof LAYERS)[number];
/** Index into LAYERS. */
export type Layer = number;
export const LAYER_USER = 0;
export const LAYER_DEP = 1;
export const LAYER_STD = 2;
export const LAYER_RUNTIME = 3;
export const LAYER_ALLOC = 4;
export const LAYER_KERNEL = 5;
export const LAYER_PROFILER = 6;
export const LAYER_UNKNOWN = 7;

export type FormatName =
  | 'rustscope' | 'folded' | 'folded-diff' | 'firefox' | 'pprof' | 'speedscope' | 'chrome' | 'perf-script';

/** us = microseconds, ns = nanoseconds; percentages and megabytes are made at the edge that prints. */
export type Unit = 'us' | 'ns' | 'bytes' | 'count' | 'samples' | 'none';

/* ---- the profile (worker side) ---- */

/** A function: frames of one function at different addresses and lines share it. */
export interface FuncTable {
  readonly count: number;
  readonly name: Int32Array;   // StringId
  readonly module: Int32Array; // index into ModuleTable, -1 unknown
  readonly crate: Int32Array;  // StringId of the crate (or library), -1 unknown
  readonly file: Int32Array;   // StringId, -1 unknown
  readonly line: Int32Array;   // 0 unknown
  readonly layer: Uint8Array;  // Layer
}

export interface ModuleTable {
  readonly count: number;
  readonly path: Int32Array;
  readonly name: Int32Array;
  readonly buildId: Int32Array;
  readonly symbols: Uint8Array; // index into SYMBOL_KINDS
}
export const SYMBOL_KINDS = ['dwarf', 'symtab', 'dynsym', 'none', 'unknown'] as const;

/** One program location. Formats without addresses have one frame per function. */
export interface FrameTable {
  readonly count: number;
  readonly func: Int32Array;    // FuncId
  readonly line: Int32Array;    // 0 unknown
  readonly addr: Float64Array;  // module-relative, exact to 2^53; NaN unknown
  readonly inlined: Uint8Array; // 1 = inlined into the frame above it
}

/** One call tree; parents come before children, a root has parent -1. */
export interface TreeTable {
  readonly count: number;
  readonly parent: Int32Array;
  readonly frame: Int32Array;
  /** Siblings never share a function: without transforms nothing is left to merge. */
  readonly merged: boolean;
}

/** Rows by time bucket: rows of bucket b are [start[b], start[b+1]). */
export interface BucketRows {
  readonly intervalMs: number;
  readonly start: Uint32Array;
  readonly node: Int32Array;
  readonly thread: Int32Array;  // index into Profile.threads, -1 unknown
  readonly weight: Float64Array;
}

/** A metric is a self value per node, from rows (any window, any thread), per node for the whole session, or both. */
export interface Metric {
  readonly info: MetricInfo;
  readonly rows: BucketRows | null;
  /** Self value per node over the whole recording. Absent: the sum of the rows. */
  whole: Float64Array | null;
}

export interface MetricInfo {
  /** RustScope's: cpu, offcpu, alloc_bytes, net_bytes, alloc_count, peak_bytes, leaked_bytes, leaked_count, temporary, scopes. Others: s0, s1 … */
  readonly id: string;
  readonly label: string;
  readonly unit: Unit;
  /** Which tree its nodes index: 'stacks', or 'scopes' (the instrumented call tree). */
  readonly tree: 'stacks' | 'scopes';
  /** False: under a brush the view still shows the whole session and must say so. */
  readonly windowed: boolean;
  /** False: a thread or process filter does not apply. */
  readonly threaded: boolean;
  /** Sum over the whole recording. */
  readonly total: number;
  /** Negative values exist (net bytes, differential folded). */
  readonly signed: boolean;
}

/** Everything read from an input. Stays in the worker. */
export interface Profile {
  readonly format: FormatName;
  readonly name: string;
  /** Id of the metric that is shown first. */
  readonly opensOn: string;
  readonly strings: readonly string[];
  readonly funcs: FuncTable;
  readonly modules: ModuleTable;
  readonly frames: FrameTable;
  readonly stacks: TreeTable;
  readonly scopes: TreeTable | null;
  readonly metrics: readonly Metric[];
  readonly side: ProfileSide;
}

/* ---- what is small enough to live on both sides ---- */

export interface Column { readonly label: string; readonly unit: 'pct' | 'MB' | 'count' | 'bytes' | 'value'; readonly values: Float64Array /* NaN = not measured */ }

export interface Timeline {
  readonly intervalMs: number;
  readonly points: number;
  /** Known ids: cpu_pct, anon_mb, rss_mb, heap_mb, threads, open_fds, alloc_bytes, read_bytes, write_bytes. Only those that were measured. */
  readonly lanes: ReadonlyMap<string, Column>;
  /** The program's own counters (rustscope_counter). */
  readonly counters: ReadonlyMap<string, Column>;
}

export interface ProcessTimeline {
  readonly intervalMs: number;
  readonly start: Uint32Array;
  readonly process: Int32Array;
  readonly cpuPct: Float64Array;
  readonly anonMb: Float64Array;
  readonly heapMb: Float64Array;
}

export interface RankedName { readonly name: string; readonly value: number; readonly unit: Unit | 'pct'; readonly func: FuncId /* -1 */ ; readonly node: NodeId /* -1 */ }

export interface TimelineEvent {
  readonly type: string;      // spike, cpu_spike, mark, …: text from the file
  readonly startMs: number;   // from the start of the session
  readonly endMs: number;
  readonly process: number;   // index into processes, -1
  readonly sizeBytes: number; // NaN
  readonly peak: number;      // NaN
  readonly text: string;      // the sentence shown to a person
  readonly topFunctions: readonly RankedName[];
  readonly topAllocations: readonly RankedName[];
}

export interface ProcessInfo {
  readonly pid: number; readonly parent: number; readonly name: string; readonly exe: string; readonly argv: readonly string[];
  readonly startMs: number; readonly endMs: number; readonly cpuMs: number; readonly rssPeakMb: number; readonly heapPeakMb: number;
  readonly allocBytes: number; readonly allocCount: number; readonly shimStatus: string; readonly shimReason: string; readonly exit: string;
}

export interface ThreadInfo {
  readonly process: number; readonly tid: number; readonly name: string; readonly cpuMs: number; readonly startMs: number; readonly endMs: number;
}

/** What a session says about one function over the whole recording (imports: empty). */
export interface FunctionStats {
  readonly func: FuncId; readonly selfPct: number; readonly totalPct: number; readonly selfSamples: number; readonly totalSamples: number;
  readonly calls: number; readonly avgNs: number; readonly timing: TimingNs | null; readonly outlierCount: number;
  readonly allocBytes: number; readonly allocCount: number; readonly leakedBytes: number; readonly peakBytes: number;
  readonly maxDepth: number; readonly source: 'sampled' | 'instrumented' | 'both';
}

/** NaN where unknown. */
export interface TimingNs {
  readonly total: number; readonly self: number; readonly min: number; readonly max: number; readonly mean: number; readonly stddev: number;
  readonly p50: number; readonly p95: number; readonly p99: number;
}

export interface ScopeStats {
  readonly node: NodeId; readonly func: FuncId; readonly calls: number; readonly timing: TimingNs; readonly maxDepth: number;
  readonly allocBytes: number; readonly allocCount: number; readonly outlierCount: number; readonly budgetNs: number; readonly budgetViolations: number;
}

export interface Outlier { readonly func: FuncId; readonly name: string; readonly atMs: number; readonly durationNs: number; readonly thread: number; readonly sigma: number }
/** Calls of a scope beyond its budget; time and length are the worst one's. */
export interface BudgetViolation { readonly name: string; readonly atMs: number; readonly durationNs: number; readonly budgetNs: number; readonly count: number }
/** Tasks of one kind: how they waited. NaN where unknown. */
export interface AsyncTask {
  readonly name: string; readonly process: number; readonly started: number; readonly completed: number; readonly cancelled: number; readonly polls: number;
  readonly busyNs: number; readonly idleNs: number; readonly scheduledNs: number; readonly firstPollDelayNs: number; readonly maxPollNs: number; readonly lifetimeNs: number;
}

export interface Benchmark {
  readonly name: string; readonly iterations: number; readonly warmup: number; readonly unit: string;
  readonly meanNs: number; readonly medianNs: number; readonly stddevNs: number; readonly madNs: number; readonly ci95Ns: readonly [number, number];
  readonly minNs: number; readonly maxNs: number;
  readonly outliers: { readonly lowMild: number; readonly lowSevere: number; readonly highMild: number; readonly highSevere: number };
  readonly throughput: readonly { readonly label: string; readonly value: number }[];
  readonly samplesNs: Float64Array; readonly profiled: boolean; /* stacks were sampled meanwhile */
  readonly settled: boolean; // false: the time went on changing through the warm-up
  readonly threads: number; readonly processes: number; // that ran it; 1 where the file does not say
  readonly allocBytes: number; readonly allocBlocks: number; // of all iterations together; NaN: not counted
}

export interface Leak { readonly bytes: number; readonly count: number; readonly node: NodeId; readonly firstMs: number; readonly lastMs: number; readonly process: number; readonly name: string }

export interface MemorySide {
  readonly bySize: readonly { readonly label: string; readonly count: number; readonly bytes: number }[];
  readonly peakMs: number; readonly peakBytes: number;
  /** Log2 histogram of lifetimes; empty when not recorded. */
  readonly lifetimes: readonly { readonly label: string; readonly count: number }[];
  /** Median lifetime per stack node in µs, aligned with the columns below; only nodes with allocations. */
  readonly node: Int32Array; readonly lifetimeP50Us: Float64Array;
  readonly leaks: readonly Leak[];
}

export interface Meta {
  readonly project: string; readonly target: string; readonly argv: readonly string[]; readonly cwd: string; readonly pid: number;
  readonly startTs: number; readonly durationMs: number; readonly hostOs: string; readonly hostArch: string; readonly kernel: string;
  readonly cpuModel: string; readonly cpuCores: number; readonly rateHz: number; readonly stackRateHz: number; readonly stopReason: string;
  readonly exit: string; readonly sessionName: string; readonly tags: readonly string[]; readonly labels: readonly (readonly [string, string])[];
  readonly generator: string; readonly rustscopeVersion: string;
}

/** NaN where the file has nothing. */
export interface Summary {
  readonly cpuAvgPct: number; readonly cpuPeakPct: number; readonly cpuMs: number; readonly heapAvgMb: number; readonly heapPeakMb: number;
  readonly heapSource: string; readonly anonPeakMb: number; readonly rssPeakMb: number; readonly threadAvg: number; readonly threadPeak: number;
  readonly fdPeak: number; readonly totalAllocations: number; readonly totalDeallocations: number; readonly totalAllocBytes: number;
  readonly temporaryAllocations: number; readonly leakedBytes: number; readonly leakedAllocations: number; readonly spikes: number;
}

export interface Diagnostics {
  readonly stackBackend: string; readonly stackRateAchievedHz: number; readonly stackSamples: number; readonly stackLost: number;
  readonly stacksTruncated: number; readonly unknownSymbols: number; readonly overheadPct: number; readonly allocBackend: string;
  readonly eventsReceived: number; readonly eventsDropped: number;
  /** What was folded or dropped to stay within bounds, by name. */
  readonly folded: readonly (readonly [string, number])[];
  /** Sentences with a remedy: the recorder's, then the importer's. */
  readonly warnings: readonly string[];
  /** `false`: debug, `true`: optimised; null when nothing tells. */
  readonly optimised: boolean | null;
}

/** The part of a profile that both sides hold. */
export interface ProfileSide {
  readonly meta: Meta;
  readonly summary: Summary;
  readonly timeline: Timeline;
  readonly processTimeline: ProcessTimeline | null;
  readonly events: readonly TimelineEvent[];
  readonly processes: readonly ProcessInfo[];
  readonly threads: readonly ThreadInfo[];
  readonly functions: readonly FunctionStats[];
  readonly memory: MemorySide | null;
  readonly scopeStats: readonly ScopeStats[];
  readonly outliers: readonly Outlier[];
  readonly budgetViolations: readonly BudgetViolation[];
  readonly asyncTasks: readonly AsyncTask[];
  readonly benchmarks: readonly Benchmark[];
  readonly diagnostics: Diagnostics;
}

/* ---- what the page holds of a loaded profile ---- */

/** Functions as the page needs them. Ids ≥ `real` are made by transforms: "[tokio]", "[outside your code]". */
export interface PageFuncs {
  readonly count: number;
  readonly real: number;
  readonly names: readonly string[];
  /** Index into ProfileInfo.crates / .modules / .files, -1 unknown. */
  readonly crate: Int32Array;
  readonly module: Int32Array;
  readonly file: Int32Array;
  readonly line: Int32Array;
  readonly layer: Uint8Array;
}

export interface ProfileInfo {
  /** Handle for all further questions. */
  readonly id: number;
  readonly format: FormatName;
  readonly name: string;
  /** Name of the file it came from. */
  readonly file: string;
  readonly sizeBytes: number;
  readonly nodes: number;
  readonly funcs: PageFuncs;
  readonly crates: readonly string[];
  readonly modules: readonly { readonly name: string; readonly path: string; readonly symbols: string }[];
  readonly files: readonly string[];
  readonly metrics: readonly MetricInfo[];
  /** Id of the metric that is shown first; '' without metrics. */
  readonly opensOn: string;
  readonly side: ProfileSide;
}

/* ---- questions and answers ---- */

/** Milliseconds from the start, [from, to); null = the whole session. Rounded outward to buckets. */
export interface TimeWindow { readonly fromMs: number; readonly toMs: number }

/** The removable chips, applied in order. */
export type Transform =
  | { readonly kind: 'merge'; readonly func: FuncId }                  // drop the frame, charge its caller
  | { readonly kind: 'drop'; readonly func: FuncId }                   // leave out every sample that contains it
  | { readonly kind: 'focus'; readonly func: FuncId }                  // it becomes the root
  | { readonly kind: 'collapse-function'; readonly func: FuncId }      // what it calls becomes its self
  | { readonly kind: 'collapse-crate'; readonly crate: number }        // index into ProfileInfo.crates
  | { readonly kind: 'collapse-module'; readonly module: number }
  | { readonly kind: 'merge-crate'; readonly crate: number }
  | { readonly kind: 'preset'; readonly preset: PresetName };          // hide the plumbing of a runtime
export type PresetName = 'tokio' | 'rayon' | 'futures';

export type Direction = 'top-down' | 'bottom-up' | 'callers' | 'callees';

export interface ViewRequest {
  readonly profile: number;
  readonly metric: string;
  readonly window: TimeWindow | null;
  /** Indexes into side.threads / side.processes; null = all. */
  readonly threads: readonly number[] | null;
  readonly processes: readonly number[] | null;
  readonly transforms: readonly Transform[];
  readonly direction: Direction;
  /** The function of 'callers' and 'callees' (the two halves of a sandwich). */
  readonly func: FuncId | null;
  readonly onlyMyCode: boolean;
  /** Bit i set = LAYERS[i] is shown; a hidden layer is charged to its callers. ALL_LAYERS shows all. */
  readonly layers: number;
  readonly collapseRecursion: 'off' | 'direct' | 'all';
  /** Top-down: the frames between the root and the reader's code are one (view/fold.ts). */
  readonly foldRoot: boolean;
  /** Topology the page holds already, 0 for none. */
  readonly haveTopology: number;
  /** Ask for the tables and insights as well as the flame graph. */
  readonly tables: boolean;
}
export const ALL_LAYERS = 0xff;

/** node flags */
export const FLAG_INLINED = 1; // every frame merged here was inlined
export const FLAG_FOLDED = 2;  // stands for several frames, see Topology.folds

/** Nodes in breadth-first order; node 0 is the root (func -1), alone in row 0. */
export interface Topology {
  readonly id: number;
  readonly count: number;
  readonly parent: Int32Array;
  readonly func: Int32Array;
  readonly flags: Uint8Array;
  /** Children of i are [firstChild[i], firstChild[i+1]); length count + 1. */
  readonly firstChild: Uint32Array;
  /** Row d is [rowStart[d], rowStart[d+1]). */
  readonly rowStart: Uint32Array;
  /** Bottom-up stops at this many levels when the tree would not fit; 0 = complete. */
  readonly cappedAt: number;
  /** Frames that stand for a chain of frames, with the functions of the chain from the outermost on, which is the frame's own. Empty without `foldRoot`. */
  readonly folds: ReadonlyMap<number, readonly FuncId[]>;
}

export interface View {
  readonly topologyId: number;
  /** Null when the request's haveTopology is still right. */
  readonly topology: Topology | null;
  /** Total of each node in the metric's unit; 0 = nothing in this window, do not draw. */
  readonly value: Float64Array;
  /** Left edge in the same unit; the right edge is x0 + value. */
  readonly x0: Float64Array;
  readonly metric: MetricInfo;
  readonly status: ViewStatus;
  readonly tables: Tables | null;
}

/** What the status line says. */
export interface ViewStatus {
  /** Sum shown (the root's value) and the sum of everything in the window before anything was hidden. */
  readonly shown: number;
  readonly inWindow: number;
  readonly whole: number;
  /** Buckets' real edges; null when the metric cannot be windowed or no window was asked. */
  readonly window: TimeWindow | null;
  /** A window or thread filter was asked that this metric cannot follow: it shows the whole session. */
  readonly ignoresWindow: boolean;
  readonly ignoresThreads: boolean;
  /** Left out: dropped by a chip or outside the focus; samples of the profiler itself; freed (negative net) bytes. */
  readonly dropped: number;
  readonly profiler: number;
  readonly freed: number;
  /** Charged to callers by layers, presets, merges. */
  readonly charged: number;
  /** Rows (samples after bucketing) in the window, and the samples they stand for when the period is known (else NaN). */
  readonly rows: number;
  readonly samples: number;
}

/** Parallel columns; sort and filter happen on the page. */
export interface Tables {
  readonly functions: GroupTable;  // key = FuncId
  readonly crates: GroupTable;     // key = index into ProfileInfo.crates, -1 = unknown
  readonly modules: GroupTable;
  readonly threads: GroupTable;    // key = index into side.threads; total = self
}
export interface GroupTable {
  readonly count: number;
  readonly key: Int32Array;
  readonly self: Float64Array;
  readonly total: Float64Array;
  /** Bytes allocated below it in the same window (whole session when allocations cannot be windowed); empty = not recorded. */
  readonly bytes: Float64Array;
}

/** "hot in": the value of one function, crate or module over time. */
export interface HotWindows { readonly intervalMs: number; readonly values: Float64Array }

export type Severity = 'critical' | 'warning' | 'info';
export interface Insight {
  readonly rule: string;
  readonly severity: Severity;
  readonly title: string;
  readonly why: string;
  readonly evidence: readonly { readonly text: string; readonly func: FuncId /* -1 */; readonly window: TimeWindow | null; readonly share: number /* NaN */ }[];
  readonly advice: string;
  /** The threshold in words: "one function above 40 % of CPU self time". */
  readonly threshold: string;
  readonly window: TimeWindow | null;
}

/**
 * What made a spike: functions by CPU and allocation paths by net bytes in its window. Time is charged to the innermost
 * function of the reader's that was on the stack; VIA is the function below it that had most of it itself, -1 for none.
 */
export interface SpikeCause {
  readonly window: TimeWindow;
  readonly functions: readonly (RankedName & { readonly via: FuncId })[];
  readonly allocations: readonly (RankedName & { readonly path: readonly FuncId[] })[];
}

/* ---- compare ---- */

export interface CompareSide { readonly profile: number; readonly metric: string; readonly window: TimeWindow | null }
export interface CompareRequest {
  readonly base: CompareSide;
  readonly next: CompareSide;
  /** Shares of each side's total instead of absolute values. */
  readonly relative: boolean;
  readonly direction: 'top-down' | 'bottom-up';
  readonly onlyMyCode: boolean;
  readonly layers: number;
  readonly collapseRecursion: 'off' | 'direct' | 'all';
  readonly foldRoot: boolean;
  readonly haveTopology: number;
}
export interface CompareView {
  readonly topologyId: number;
  readonly topology: Topology | null;
  /** Function ids of the topology; both sides' names joined. */
  readonly funcs: PageFuncs;
  readonly crates: readonly string[];
  /** Width = base + next, so that what vanished stays visible; x0 belongs to it. Shares (0..1) when relative. */
  readonly value: Float64Array;
  readonly x0: Float64Array;
  readonly base: Float64Array;
  readonly next: Float64Array;
  readonly unit: Unit;
  readonly baseTotal: number;
  readonly nextTotal: number;
  /** What one sample weighs on each side, in the metric's unit; NaN where the amounts were counted, not sampled. */
  readonly periods: readonly [number, number];
  /** Functions, largest absolute change of self first. */
  readonly rows: { readonly count: number; readonly func: Int32Array; readonly baseSelf: Float64Array; readonly nextSelf: Float64Array; readonly baseTotal: Float64Array; readonly nextTotal: Float64Array };
  /** Why the two may not be comparable, in words. */
  readonly warnings: readonly string[];
}

/* ---- worker protocol ---- */

export interface InputFile { readonly name: string; readonly data: Blob | ArrayBuffer }
/** A file that the worker downloads itself (an absolute address): through the page its bytes would be copied twice, beside React's start. */
export interface RemoteFile { readonly name: string; readonly url: string }
export interface LoadProgress { readonly file: string; readonly stage: 'reading' | 'unpacking' | 'parsing' | 'merging'; readonly done: number /* 0..1 */ }

export type ExportFormat = 'svg' | 'folded' | 'speedscope' | 'csv';

/** An error whose message is one sentence for the person who dropped the file. */
export interface UserError { readonly message: string; readonly file: string }
