// SPDX-License-Identifier: MIT
/**
 * The rules. Each looks at facts of the window (or, where only the whole session can tell, stays silent under a
 * window), and prints the threshold it used. A threshold is where we would stop and look, measured against programs
 * that are well: the healthy session of fixtures/ must pass all of them, and each has a planted one that must not.
 */
import { formatAmount } from '../export/svg';
import { LAYER_ALLOC, LAYER_KERNEL, LAYER_USER, LAYER_UNKNOWN, type FuncId, type Insight, type TimeWindow } from '../model/types';
import { REPEAT_FUNC, repeatsOf } from '../view/topology';
import { about, covered, eighths, heaviest, insight, netPerEighth, note, percent, selfIn, type Evidence, type Facts, type Summed } from './facts';

type Rule = (facts: Facts) => readonly Insight[];

const NONE: readonly Insight[] = [];

function nameOf(facts: Facts, func: FuncId): string {
  return facts.engine.funcs.names[func] ?? '';
}
function layerOf(facts: Facts, func: FuncId): number {
  return facts.engine.funcs.layer[func] ?? LAYER_UNKNOWN;
}
/** Nodes like [unsampled] explain a gap; they are not code. */
function isExplanation(name: string): boolean {
  return name.startsWith('[');
}
function bytes(value: number): string {
  return formatAmount(value, 'bytes');
}
function top(facts: Facts, s: Summed, list: readonly { func: FuncId; value: number }[], limit = 4): Evidence[] {
  return list.slice(0, limit).map(({ func, value }) => about(facts, func, value / s.sum));
}

/* ---- where the time goes ---- */

const DOMINANT = 0.4;
const dominantFunction: Rule = (facts) => {
  const { cpu } = facts;
  if (!cpu) return NONE;
  const [first] = selfIn(cpu, (f) => !isExplanation(nameOf(facts, f))).funcs;
  if (!first || first.value / cpu.sum < DOMINANT) return NONE;
  const share = first.value / cpu.sum;
  const name = nameOf(facts, first.func);
  const mine = layerOf(facts, first.func) === LAYER_USER || layerOf(facts, first.func) === LAYER_UNKNOWN;
  return [insight(facts, 'dominant-function', share >= 0.7 ? 'critical' : 'warning', {
    title: `${name} takes ${percent(share)} of the CPU time itself`,
    why: 'One function decides how fast the program is. Making it twice as fast saves half of this share; nothing else can save as much.',
    evidence: top(facts, cpu, [first]),
    advice: mine ? 'Look at its lines and at how often it is called: a better algorithm or fewer calls first, then the memory layout of what it reads.'
      : 'The code is not yours: open “Only my code” to see which of your functions calls it, and call it less often or with less data.',
    threshold: `one function at ${percent(DOMINANT)} or more of the CPU time, without what it calls`,
  })];
};

const DEEP = 64;
const RUNAWAY = 1000;
const recursion: Rule = (facts) => {
  const { cpu } = facts;
  if (!cpu) return NONE;
  const { firstChild, func, rowStart } = cpu.tree.topology;
  const onPath = new Int32Array(facts.engine.funcs.count + 1); // by function + 1
  let deepest = { func: -1, depth: 0 };
  // Depth-first, leaving a node when its last child is done: `at` walks the children of the path's nodes.
  const path = new Int32Array(rowStart.length);
  const at = new Int32Array(rowStart.length);
  at[0] = firstChild[0];
  for (let row = 0; row >= 0; ) {
    const child = at[row]++;
    if (child < firstChild[path[row] + 1]) {
      if (cpu.total[child] <= 0) continue;
      const f = func[child];
      const depth = ++onPath[f + 1];
      if (depth > deepest.depth) deepest = { func: f, depth };
      path[++row] = child;
      at[row] = firstChild[child];
    } else {
      onPath[func[path[row]] + 1]--;
      row--;
    }
  }
  if (deepest.depth < DEEP) return NONE;
  const runaway = deepest.depth >= RUNAWAY;
  return [insight(facts, 'recursion', runaway ? 'critical' : 'warning', {
    title: `${nameOf(facts, deepest.func)} is ${deepest.depth.toLocaleString('en')} times on one stack`,
    why: runaway ? 'Recursion this deep ends in a stack overflow when the input grows; each level also costs cache.' : 'Deep recursion uses stack in proportion to the input, and its many equal frames hide which function is hot.',
    evidence: [about(facts, deepest.func, (cpu.groups.func.total[deepest.func + 1] ?? 0) / cpu.sum)],
    advice: 'Check the end condition, then turn it into a loop with an explicit stack; “Collapse recursion” makes the graph readable meanwhile.',
    threshold: `one function ${DEEP} times or more on one stack (${RUNAWAY.toLocaleString('en')}: runaway)`,
  })];
};

const LOCK_CPU = 0.1;
const LOCK_WAIT = 0.2;
/** µs of waiting for locks below which nobody was held up. */
const LOCK_WAIT_US = 500_000;
const LOCKS = /(^|::|_)(futex\w*|pthread_mutex_lock\w*|__lll_lock_wait\w*|pthread_rwlock_\w+lock\w*|pthread_cond_\w*wait\w*|lock_contended|lock_slow|lock_exclusive_slow|lock_shared_slow|park_internal)\b|parking_lot(_core)?::|::sync::(mutex|rwlock|poison::mutex|poison::rwlock|condvar)::|sys::sync::(mutex|rwlock|condvar)|(raw_spin|queued_spin|native_queued_spin)_lock\w*|std::mutex::lock|__gthread_mutex_lock|spin_lock/i;
const IDLE_WAITS = /epoll_wait|::park(_timeout)?$|io_uring|nanosleep|poll_schedule|recv|accept|select/i;
const locks: Rule = (facts) => {
  const out: Insight[] = [];
  const isLock = (f: FuncId): boolean => LOCKS.test(nameOf(facts, f)) && !IDLE_WAITS.test(nameOf(facts, f));
  const { cpu, offcpu } = facts;
  if (cpu) {
    const spent = covered(cpu, isLock);
    if (spent.value / cpu.sum >= LOCK_CPU) out.push(insight(facts, 'lock-share', 'warning', {
      title: `${percent(spent.value / cpu.sum)} of the CPU time goes into taking locks`,
      why: 'Threads that contend for a lock use CPU time without doing work; more threads make it worse.',
      evidence: top(facts, cpu, spent.funcs),
      advice: 'Hold the lock for less (copy out, compute, write back), split it by key, or use one writer with a channel.',
      threshold: `${percent(LOCK_CPU)} of the CPU time below lock functions`,
    }));
  }
  if (offcpu) {
    const waited = covered(offcpu, isLock);
    if (waited.value / offcpu.sum >= LOCK_WAIT && waited.value >= LOCK_WAIT_US) out.push(insight(facts, 'lock-wait', 'warning', {
      title: `${formatAmount(waited.value, 'us')} of waiting is for locks, ${percent(waited.value / offcpu.sum)} of all waiting`,
      why: 'A thread that waits for a lock has work to do and cannot run: that shows as latency, not as CPU time.',
      evidence: top(facts, offcpu, waited.funcs),
      advice: 'Switch the metric to off-CPU and look bottom-up at who holds the lock: shorten that section or give the data to one owner.',
      threshold: `${percent(LOCK_WAIT)} of the off-CPU time, and at least ${formatAmount(LOCK_WAIT_US, 'us')}, below lock functions`,
    }));
  }
  return out;
};

const IDLE_PCT = 2;
const idle: Rule = (facts) => {
  const { meta, summary } = facts.engine.profile.side;
  if (facts.window || !(meta.durationMs >= 10_000) || !(summary.cpuAvgPct < IDLE_PCT)) return NONE;
  const cpu = facts.engine.metric('cpu');
  if (!cpu) return NONE;
  return [insight(facts, 'idle', 'info', {
    title: `The program waited nearly all the time (${summary.cpuAvgPct.toFixed(1)} % of one core)`,
    why: 'The CPU flame graph explains only the little time that it ran; what makes it slow is what it waits for.',
    evidence: [note(`${formatAmount(cpu.info.total, cpu.info.unit)} of CPU time in ${formatAmount(meta.durationMs * 1000, 'us')}`)],
    advice: facts.engine.metric('offcpu') ? 'Switch the metric to off-CPU time.' : 'Record with --off-cpu, or put load on the program while recording.',
    threshold: `less than ${IDLE_PCT} % of one core over 10 s or more`,
  })];
};

/* ---- allocation ---- */

const ALLOCATOR = 0.15;
const allocatorShare: Rule = (facts) => {
  const { cpu } = facts;
  if (!cpu) return NONE;
  const spent = covered(cpu, (f) => layerOf(facts, f) === LAYER_ALLOC);
  if (spent.value / cpu.sum < ALLOCATOR) return NONE;
  return [insight(facts, 'allocator-share', 'warning', {
    title: `The allocator takes ${percent(spent.value / cpu.sum)} of the CPU time`,
    why: 'Allocating and freeing produces nothing; a healthy program spends less than a tenth of its time on it.',
    evidence: top(facts, cpu, spent.funcs),
    advice: 'Switch the metric to allocations and look bottom-up: reuse buffers (clear, not drop), reserve capacity, or pass slices. jemalloc or mimalloc help when allocations are already few.',
    threshold: `${percent(ALLOCATOR)} of the CPU time in malloc, free and their kind`,
  })];
};

const HOT_PATH = 0.1;
const HOT_ALLOC = 0.3;
const allocationHeavyPath: Rule = (facts) => {
  const { cpu, engine } = facts;
  if (!cpu) return NONE;
  const { topology } = cpu.tree;
  // CPU below each node that is the allocator's, then per function over its outermost nodes.
  const inAllocator = new Float64Array(topology.count);
  const isAlloc = new Uint8Array(topology.count);
  for (let n = 1; n < topology.count; n++) {
    const f = topology.func[n];
    isAlloc[n] = isAlloc[topology.parent[n]] || (f >= 0 && layerOf(facts, f) === LAYER_ALLOC) ? 1 : 0;
    if (isAlloc[n]) inAllocator[n] = cpu.self[n];
  }
  for (let n = topology.count - 1; n > 0; n--) inAllocator[topology.parent[n]] += inAllocator[n];
  const perFunc = new Float64Array(engine.funcs.count);
  const repeats = repeatsOf(cpu.tree, engine.groups);
  for (let n = 1; n < topology.count; n++) if (topology.func[n] >= 0 && !(repeats[n] & REPEAT_FUNC)) perFunc[topology.func[n]] += inAllocator[n];
  const found: { func: FuncId; share: number; inside: number }[] = [];
  for (let f = 0; f < perFunc.length; f++) {
    const layer = layerOf(facts, f);
    const total = cpu.groups.func.total[f + 1];
    if ((layer !== LAYER_USER && layer !== LAYER_UNKNOWN) || total / cpu.sum < HOT_PATH || perFunc[f] / total < HOT_ALLOC) continue;
    found.push({ func: f, share: total / cpu.sum, inside: perFunc[f] / total });
  }
  if (found.length === 0) return NONE;
  // Callers inherit the finding; the innermost function is the one to change.
  found.sort((a, b) => a.share - b.share || b.inside - a.inside);
  const [worst] = found;
  return [insight(facts, 'allocation-heavy-path', 'warning', {
    title: `${nameOf(facts, worst.func)} spends ${percent(worst.inside)} of its time allocating`,
    why: `It is hot (${percent(worst.share)} of the CPU time), and much of that is the allocator working for it.`,
    evidence: found.slice(0, 4).map((f) => about(facts, f.func, f.share, `${nameOf(facts, f.func)}: ${percent(f.inside)} of its time in the allocator`)),
    advice: 'Move the allocation out of the loop, reuse a buffer, or reserve the final size at once.',
    threshold: `one of your functions with ${percent(HOT_PATH)} of the CPU time, ${percent(HOT_ALLOC)} of it in the allocator`,
  })];
};

const CHURN = 0.3;
const CHURN_COUNT = 10_000;
const temporaryChurn: Rule = (facts) => {
  const { engine, window } = facts;
  const metric = engine.metric('temporary');
  const count = engine.metric('alloc_count');
  if (window || !metric || !count || count.info.total < CHURN_COUNT) return NONE;
  const share = metric.info.total / count.info.total;
  if (share < CHURN) return NONE;
  const source = engine.source('stacks');
  const paths = heaviest(metric, source.count, 4);
  return [insight(facts, 'temporary-churn', share >= 0.6 ? 'warning' : 'info', {
    title: `${percent(share)} of ${count.info.total.toLocaleString('en')} allocations are freed before the next one is made`,
    why: 'A block that lives only a moment can nearly always be a buffer that is reused, or stand on the stack.',
    evidence: paths.map(({ node, value }) => {
      const func = callerOf(facts, node);
      return about(facts, func, value / metric.info.total, `${nameOf(facts, func)}: ${value.toLocaleString('en')} temporary allocations`);
    }),
    advice: 'Switch the metric to temporary allocations; hoist the buffer out of the loop, or format into an existing String (write! instead of format!).',
    threshold: `${percent(CHURN)} of at least ${CHURN_COUNT.toLocaleString('en')} allocations`,
  })];
};

/** The innermost frame of a path that is the reader's; the innermost of all where none is. */
function callerOf(facts: Facts, node: number): FuncId {
  const { parent, func } = facts.engine.source('stacks');
  for (let n = node; n >= 0; n = parent[n]) {
    if (facts.engine.isReaders(func[n])) return func[n];
  }
  return node >= 0 ? func[node] : -1;
}

const GROWTH_MB = 5;
const GROWTH_SHARE = 0.2;
const LEAK_BYTES = 1e6;
const STEADY = 6;
const growth: Rule = (facts) => {
  if (facts.window) return NONE;
  const { engine } = facts;
  const net = engine.metric('net_bytes');
  const leaked = engine.metric('leaked_bytes');
  const steady: { node: number; value: number }[] = [];
  let once = 0;
  if (net?.rows && leaked) {
    const paths = heaviest(leaked, engine.source('stacks').count, 50).filter((p) => p.value >= LEAK_BYTES);
    const perEighth = netPerEighth(net, new Set(paths.map((p) => p.node)));
    for (const path of paths) {
      const rising = perEighth.get(path.node)?.filter((bytesHere) => bytesHere > 0).length ?? 0;
      if (rising >= STEADY) steady.push(path);
      else once += path.value;
    }
  }
  if (steady.length > 0) {
    const sum = steady.reduce((total, p) => total + p.value, 0);
    return [insight(facts, 'leak-suspicion', sum >= 50e6 ? 'critical' : 'warning', {
      title: `${bytes(sum)} were allocated steadily and never freed`,
      why: 'These paths kept growing through the whole recording and their blocks were still live at the end: with more time they take more memory.',
      evidence: [
        ...steady.slice(0, 4).map((p) => about(facts, callerOf(facts, p.node), p.value / sum, `${nameOf(facts, callerOf(facts, p.node))}: ${bytes(p.value)} still live`)),
        ...(once > 0 ? [note(`${bytes(once)} more live at exit were allocated once (start-up, caches) and are not suspicious`)] : []),
      ],
      advice: 'Switch the metric to leaked bytes and follow the path: look for a map or list that is only added to, a cache without a bound, or a cycle of reference counts.',
      threshold: `a path with ${bytes(LEAK_BYTES)} or more live at exit that grew in at least ${STEADY} of 8 parts of the session`,
    })];
  }
  return laneGrowth(facts);
};

/** Without allocation stacks the curve alone must tell: every part of the session above the one before. */
function laneGrowth(facts: Facts): readonly Insight[] {
  const { lanes } = facts.engine.profile.side.timeline;
  const lane = lanes.get('heap_mb') ?? lanes.get('anon_mb');
  const parts = eighths(lane?.values);
  if (!lane || !parts) return NONE;
  const rising = parts.slice(1).filter((p, i) => p.mean > parts[i].mean).length;
  const grown = parts[7].min - parts[0].max;
  if (rising < STEADY || grown < GROWTH_MB || grown < GROWTH_SHARE * parts[0].max) return NONE;
  return [insight(facts, 'memory-growth', 'warning', {
    title: `Memory grew by ${grown.toFixed(0)} MB and stayed`,
    why: 'It rose in nearly every part of the recording; a program that has reached its working set stays level.',
    evidence: [note(`${lane.label}: ${parts[0].mean.toFixed(1)} MB in the first eighth, ${parts[7].mean.toFixed(1)} MB in the last`)],
    advice: facts.engine.metric('leaked_bytes') ? 'Switch the metric to net bytes and brush the last half.' : 'Record again without --no-alloc: the allocation stacks say which path grows.',
    threshold: `${GROWTH_MB} MB and ${percent(GROWTH_SHARE)} more at the end, rising in ${STEADY} of 7 steps`,
  })];
}

/* ---- events and lanes ---- */

const SPIKES_SHOWN = 5;
/** Paths with less of a spike than this did not make it. */
const SPIKE_PART = 0.02;
/** When malloc explains less than this of a spike, the memory came another way. */
const SPIKE_EXPLAINED = 0.2;
type Spike = Facts['engine']['profile']['side']['events'][number];

function spikeSpan(event: Spike): TimeWindow {
  return { fromMs: event.startMs, toMs: Math.max(event.endMs, event.startMs + 1) };
}

function spikeTitle(event: Spike): string {
  return event.text || (event.type === 'spike' ? `Memory spike: +${bytes(event.sizeBytes)}` : `CPU spike: ${event.peak.toFixed(0)} % at its peak`);
}

/** What made one spike, the largest cause first. */
function spikeEvidence(facts: Facts, event: Spike): Evidence[] {
  const { engine } = facts;
  const span = spikeSpan(event);
  const cause = engine.spikeCause(span, 3);
  const paths = event.type === 'spike' ? cause.allocations.filter((a) => a.value >= SPIKE_PART * event.sizeBytes) : [];
  const explained = paths.reduce((total, a) => total + a.value, 0) / event.sizeBytes;
  return [
    ...paths.map((a) => ({ text: `${nameOf(facts, callerOf(facts, a.node))}: +${bytes(a.value)}`, func: callerOf(facts, a.node), window: span, share: a.value / event.sizeBytes })),
    ...(event.type === 'spike' && engine.metric('net_bytes') && explained < SPIKE_EXPLAINED ? [note('Little of it was allocated with malloc: memory was mapped directly, or blocks from before were touched for the first time.', span)] : []),
    ...cause.functions.map((f) => ({ text: `${f.name}: ${formatAmount(f.value, f.unit === 'pct' ? 'none' : f.unit)} of CPU${f.via >= 0 ? ` via ${nameOf(facts, f.via)}` : ''}`, func: f.func, window: span, share: NaN })),
  ];
}

/** Spikes of one kind are one finding: how many, when each was, and what made it. */
const spikeCauses: Rule = (facts) => {
  const { engine, window } = facts;
  const spikes = engine.profile.side.events.filter((e) => (e.type === 'spike' || e.type === 'cpu_spike') && (!window || (e.startMs < window.toMs && e.endMs >= window.fromMs)));
  // The recorder's rule decides what a spike is; here the largest are explained.
  const size = (e: Spike): number => (e.type === 'spike' ? e.sizeBytes : e.endMs - e.startMs);
  return ['spike', 'cpu_spike'].flatMap((type) => {
    const all = spikes.filter((e) => e.type === type).sort((a, b) => size(b) - size(a));
    if (!all.length) return [];
    const [largest] = all;
    const memory = type === 'spike';
    const shown = all.slice(0, SPIKES_SHOWN).sort((a, b) => a.startMs - b.startMs);
    const evidence = all.length === 1 ? spikeEvidence(facts, largest) : shown.map((event): Evidence => {
      const [first] = spikeEvidence(facts, event);
      const when = formatAmount(event.startMs * 1000, 'us');
      return { text: `at ${when}: ${spikeTitle(event).replace(/^(Memory|CPU) spike: /, '')}${first ? `, ${first.text}` : ''}`, func: first?.func ?? -1, window: spikeSpan(event), share: NaN };
    });
    if (all.length > shown.length) evidence.push(note(`and ${all.length - shown.length} smaller ones`));
    const kind = memory ? 'memory' : 'CPU';
    return [insight(facts, memory ? 'memory-spike' : 'cpu-spike', 'warning', {
      title: all.length === 1 ? spikeTitle(largest) : `${all.length} ${kind} spikes, the largest ${spikeTitle(largest).replace(/^(Memory|CPU) spike: /, '')}`,
      window: all.length === 1 ? spikeSpan(largest) : null,
      evidence: evidence.length > 0 ? evidence : [note('No stacks were recorded in its window.', spikeSpan(largest))],
      why: memory ? 'Memory grew quickly; what is listed allocated it.' : 'The CPU was busy; what is listed ran.',
      advice: all.length === 1 ? 'Click “Show” to select its window: the flame graph and the tables then show these moments only.' : 'Click a spike to select its window. Spikes with the same cause need one change.',
      threshold: memory ? 'an episode found while recording: more than --spike-mem MB inside one second' : 'an episode found while recording: above --spike-cpu percent over 100 ms',
    })];
  });
};

const THREADS_MIN = 64;
const THREADS_PER_CORE = 8;
const threadExplosion: Rule = (facts) => {
  if (facts.window) return NONE;
  const { timeline, summary, meta } = facts.engine.profile.side;
  const lane = timeline.lanes.get('threads')?.values;
  let peak = summary.threadPeak || 0;
  let at = -1;
  if (lane) for (let i = 0; i < lane.length; i++) if (lane[i] >= peak) [peak, at] = [lane[i], i];
  const limit = Math.max(THREADS_MIN, THREADS_PER_CORE * (meta.cpuCores || 1));
  if (!(peak > limit)) return NONE;
  const window = at >= 0 ? { fromMs: at * timeline.intervalMs, toMs: (at + 1) * timeline.intervalMs } : null;
  return [insight(facts, 'thread-explosion', peak > 4 * limit ? 'critical' : 'warning', {
    title: `${peak.toLocaleString('en')} threads at once${meta.cpuCores ? ` on ${meta.cpuCores} cores` : ''}`,
    why: 'Each thread costs a stack and scheduling; beyond the cores they only wait for each other.',
    evidence: [note(`the peak is ${peak.toLocaleString('en')} threads`, window)],
    advice: 'Use a pool of about as many threads as cores, and bound what may wait for it.',
    threshold: `more than ${THREADS_MIN} threads and more than ${THREADS_PER_CORE} for each core`, window,
  })];
};

const FDS = 50;
const descriptorGrowth: Rule = (facts) => {
  const parts = facts.window ? null : eighths(facts.engine.profile.side.timeline.lanes.get('open_fds')?.values);
  if (!parts) return NONE;
  const rising = parts.slice(1).filter((p, i) => p.mean > parts[i].mean).length;
  const grown = parts[7].min - parts[0].max;
  if (rising < STEADY || grown < FDS) return NONE;
  return [insight(facts, 'descriptor-growth', 'warning', {
    title: `Open files and sockets grew by ${Math.round(grown)} and were not closed`,
    why: 'At the limit of descriptors (often 1,024) every open, accept and connect fails.',
    evidence: [note(`${parts[0].mean.toFixed(0)} in the first eighth, ${parts[7].mean.toFixed(0)} in the last`)],
    advice: 'Look for files or connections that are opened in a loop and kept: a pool without a bound, an error path without close, a forgotten JoinHandle or Child.',
    threshold: `${FDS} more at the end than at the beginning, rising in ${STEADY} of 7 steps`,
  })];
};

/* ---- Rust ---- */

const RUST_SHARE = 0.1;
const RUST_SPOTS: readonly { rule: string; names: RegExp; title: string; why: string; advice: string }[] = [
  {
    rule: 'rust-formatting', names: /^(core::fmt::|alloc::fmt::|<.* as core::fmt::(Display|Debug|Write|LowerHex)[^>]*>::|<.* as alloc::string::(ToString|SpecToString)>::|alloc::string::ToString)/,
    title: 'formatting text', why: 'format!, to_string and log lines parse their templates at run time and allocate.',
    advice: 'Write into a reused String (write!), guard log lines by level, use itoa or ryu for numbers.',
  },
  {
    rule: 'rust-cloning', names: /( as core::clone::Clone>::clone|^core::clone::|::to_vec(_in)?(::|$|<)|::to_owned(::|$|<)|<.* as alloc::borrow::ToOwned>::)/,
    title: 'cloning values', why: 'A clone of a String, Vec or map copies and allocates all of it.',
    advice: 'Borrow instead, use Arc or Cow for what is shared, or std::mem::take for what is moved.',
  },
  {
    rule: 'rust-hashing', names: /(core::hash::|std::hash::|siphash|SipHasher|DefaultHasher|BuildHasher|::make_hash)/i,
    title: 'hashing', why: 'The standard map hashes with SipHash: safe against hostile keys, slow for small ones.',
    advice: 'With keys you trust use a faster hasher (rustc-hash, ahash); look a key up once (entry API).',
  },
];
const rustSpots: Rule = (facts) => {
  const { cpu } = facts;
  if (!cpu) return NONE;
  return RUST_SPOTS.flatMap((spot) => {
    const spent = covered(cpu, (f) => spot.names.test(nameOf(facts, f)));
    const share = spent.value / cpu.sum;
    if (share < RUST_SHARE) return [];
    return [insight(facts, spot.rule, share >= 0.3 ? 'warning' : 'info', {
      title: `${percent(share)} of the CPU time goes into ${spot.title}`, why: spot.why, evidence: top(facts, cpu, spent.funcs), advice: spot.advice,
      threshold: `${percent(RUST_SHARE)} of the CPU time below ${spot.title}`,
    })];
  });
};

/** One-line functions that an optimiser always inlines; seen with time of their own they tell of a debug build. */
const ALWAYS_INLINED = /::precondition_check$|^core::ub_checks::|^<.* as core::convert::(Into|From)<.*>>::(into|from)$|^<.* as core::ops::(deref::Deref|deref::DerefMut|index::Index(Mut)?)[^>]*>>?::(deref|deref_mut|index|index_mut)$|^core::(ptr|slice|num|mem|cmp|option|result|iter::range)::.*(::add|::offset|::get_unchecked|::wrapping_\w+|::replace|::swap|::as_ref|::as_ptr|::is_some|::map|::unwrap|::forward_unchecked|::lt|::is_null|::len)(::<.*>)?$|^<core::ops::range::Range<.*> as core::iter::range::RangeIteratorImpl>::spec_next$|^core::iter::range::<impl core::iter::traits::iterator::Iterator for .*>::next$|^<I as core::iter::traits::collect::IntoIterator>::into_iter$|^std::(forward|move|addressof|__addressof|max|min)\b|^std::(vector|array|unique_ptr|__uniq_ptr_impl|basic_string)<.*>::(operator\[\]|size|begin|end|get|_M_ptr|operator\*|operator->)\b|^__gnu_cxx::(__normal_iterator<.*>::|operator!=|operator==)/;
const DEBUG_SHARE = 0.05;
const DEBUG_KINDS = 3;
const debugBuild: Rule = (facts) => {
  const { cpu, engine } = facts;
  const told = engine.profile.side.diagnostics.optimised;
  if (told === true || (!cpu && told === null)) return NONE;
  const { topology } = cpu?.tree ?? { topology: null };
  const inlinedOnly = new Set<FuncId>();
  if (topology) for (let n = 1; n < topology.count; n++) if (topology.flags[n] & 1) inlinedOnly.add(topology.func[n]);
  const tiny = cpu ? selfIn(cpu, (f) => !inlinedOnly.has(f) && ALWAYS_INLINED.test(nameOf(facts, f))) : { value: 0, funcs: [] };
  const seen = cpu !== null && tiny.funcs.length >= DEBUG_KINDS && tiny.value / cpu.sum >= DEBUG_SHARE;
  if (told === null && !seen) return NONE;
  return [insight(facts, 'debug-build', 'critical', {
    title: 'This looks like a build without optimisation',
    why: 'Functions of one line, which an optimiser always inlines, run as real calls here. What is slow in a debug build says little about the release build.',
    evidence: cpu ? top(facts, cpu, tiny.funcs) : [note('the recorder found no optimisation')],
    advice: 'Build with cargo build --release (keep symbols: [profile.release] debug = "line-tables-only"), or -O2 -g, and record again.',
    threshold: `${DEBUG_KINDS} or more functions that are always inlined, with ${percent(DEBUG_SHARE)} of the CPU time of their own`,
  })];
};

/* ---- how far to trust the recording ---- */

const UNNAMED = 0.1;
const ADDRESS_NAME = /^(0x[0-9a-f]+|.+\+0x[0-9a-f]+|\[unknown.*\])$/i;
const missingSymbols: Rule = (facts) => {
  const { cpu, engine } = facts;
  if (!cpu) return NONE;
  const unnamed = selfIn(cpu, (f) => ADDRESS_NAME.test(nameOf(facts, f)) && layerOf(facts, f) !== LAYER_KERNEL);
  if (unnamed.value / cpu.sum < UNNAMED) return NONE;
  const perModule = new Map<number, number>();
  for (const { func, value } of unnamed.funcs) perModule.set(engine.funcs.module[func], (perModule.get(engine.funcs.module[func]) ?? 0) + value);
  const modules = engine.info().modules;
  const worst = [...perModule].sort((a, b) => b[1] - a[1]).slice(0, 4);
  return [insight(facts, 'missing-symbols', 'warning', {
    title: `${percent(unnamed.value / cpu.sum)} of the CPU time is in functions without a name`,
    why: 'Without symbols the graph shows addresses; calls that were inlined there are lost.',
    evidence: worst.map(([m, value]) => ({ text: `${m >= 0 ? modules[m].name : 'unknown code'}: ${percent(value / cpu.sum)}`, func: -1, window: facts.window, share: value / cpu.sum })),
    advice: 'Build with debug information (Rust: debug = "line-tables-only"; C and C++: -g), do not strip, and install the -dbgsym packages of system libraries; then record again.',
    threshold: `${percent(UNNAMED)} of the CPU time in functions known by address only`,
  })];
};

const LOST = 0.02;
const lostSamples: Rule = (facts) => {
  if (facts.window) return NONE;
  const d = facts.engine.profile.side.diagnostics;
  const evidence: Evidence[] = [];
  const rate = (lost: number, seen: number): number => (lost > 0 && lost + (seen || 0) > 0 ? lost / (lost + (seen || 0)) : 0);
  const stacks = rate(d.stackLost, d.stackSamples);
  const events = rate(d.eventsDropped, d.eventsReceived);
  const truncated = d.stackSamples > 0 ? d.stacksTruncated / d.stackSamples : 0;
  if (stacks >= LOST) evidence.push(note(`${d.stackLost.toLocaleString('en')} stack samples (${percent(stacks)})`));
  if (events >= LOST) evidence.push(note(`${d.eventsDropped.toLocaleString('en')} allocation events (${percent(events)})`));
  if (truncated >= LOST) evidence.push(note(`${d.stacksTruncated.toLocaleString('en')} stacks were cut short (${percent(truncated)})`));
  if (evidence.length === 0) return NONE;
  return [insight(facts, 'lost-samples', 'warning', {
    title: 'Part of the recording was lost',
    why: 'Shares are still right on average, but short bursts may be missing and totals are too low.',
    evidence, advice: 'Lower the stack rate (-F 499), raise --stack-size for cut stacks, or record on a less loaded machine.',
    threshold: `${percent(LOST)} of the samples, events or stacks lost or cut`,
  })];
};

const RULES: readonly Rule[] = [
  spikeCauses, dominantFunction, recursion, allocationHeavyPath, allocatorShare, temporaryChurn, growth, locks, idle, threadExplosion, descriptorGrowth, rustSpots, debugBuild, missingSymbols, lostSamples,
];

const ORDER = { critical: 0, warning: 1, info: 2 };

/** Every rule over the facts, the gravest first; rules of equal weight keep their order. */
export function runRules(facts: Facts): Insight[] {
  return RULES.flatMap((rule) => rule(facts)).sort((a, b) => ORDER[a.severity] - ORDER[b.severity]);
}
