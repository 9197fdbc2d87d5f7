// SPDX-License-Identifier: MIT
/**
 * Files that are no profile for us but are dropped as if they were: told by their heads, so that the person hears what
 * the file is and what would make it readable. A number at the end of a line is not enough to be folded stacks.
 */

/** "This is …; do …." */
function refusal(what: string, remedy: string): string {
  return `This is ${what}; ${remedy}.`;
}

const SCRIPT = 'write it as text with “perf script > profile.txt” and open that';

/** Binary files by their first bytes. */
const MAGIC: readonly (readonly [magic: readonly number[], sentence: string])[] = ([
  ['PERFILE2', refusal('a perf.data recording', SCRIPT)],
  ['2ELIFREP', refusal('a perf.data recording', SCRIPT)],
  ['FLR\0', refusal('a Java Flight Recorder file', 'fold it with async-profiler’s converter (“jfrconv -o collapsed recording.jfr profile.folded”) and open that')],
  ['JAVA PROFILE', refusal('a Java heap dump (hprof)', 'it holds objects and no stacks; open it with Eclipse MAT or VisualVM')],
  ['gmon', refusal('a gprof recording (gmon.out)', 'it holds no stacks; record the program with “rustscope ./program” instead')],
  ['Nettrace', refusal('a .NET trace (nettrace)', 'convert it with “dotnet-trace convert --format Speedscope” and open that')],
  ['SQLite format 3', refusal('a SQLite database', 'export a profile from the tool that wrote it (folded stacks, pprof or speedscope) and open that')],
  ['\x7fELF', refusal('a program or a library and not a profile', 'record it: rustscope ./program')],
  ['PK\x03\x04', refusal('a ZIP archive', 'unpack it and open the profile that is inside')],
  ['\x28\xb5\x2f\xfd', refusal('compressed with zstd', 'unpack it (“zstd -d”) first; a heaptrack recording is folded by “heaptrack_print -F profile.folded FILE”')],
  ['\xfd7zXZ', refusal('compressed with xz', 'unpack it (“xz -d”) and open the result')],
  ['BZh', refusal('compressed with bzip2', 'unpack it (“bzip2 -d”) and open the result')],
] as const).map(([text, sentence]) => [Array.from(text, (c) => c.charCodeAt(0)), sentence] as const);

/** Five words of the old gperftools format: 0, 3, 0, the period, 0. */
const GPERFTOOLS = refusal('a CPU profile in the old binary format of gperftools', 'convert it with “google-pprof --collapsed ./program FILE > profile.folded” and open that');
export const PERFETTO = refusal('a Perfetto trace (protobuf)', 'record JSON instead (Chromium: --trace-startup-format=json, or the Performance panel), or convert it with “traceconv json”');

export function foreignBinary(bytes: Uint8Array): string | null {
  for (const [magic, sentence] of MAGIC) if (magic.every((byte, i) => bytes[i] === byte)) return sentence;
  for (const word of [4, 8]) {
    const at = (i: number): number => bytes.subarray(i * word, (i + 1) * word).reduceRight((sum, byte) => sum * 256 + byte, 0);
    if (bytes.length >= 8 * word && at(0) === 0 && at(1) === 3 && at(2) === 0 && at(3) > 0 && at(4) === 0) return GPERFTOOLS;
  }
  return null;
}

const NO_STACKS = 'it holds no stacks; record the program with “rustscope ./program” instead';
const PPROF = 'save it without “debug=” in its address, as gzipped pprof, and open that';

/** Text files by their first lines, each of which may begin a file; a banner may stand before. */
const HEADS: readonly (readonly [head: RegExp, sentence: string])[] = [
  [/^(# callgrind format|(version:[^\n]*\n)?creator: (callgrind|xdebug))/m, refusal('callgrind output', 'open it with KCachegrind, or record the program with “rustscope ./program” instead')],
  [/^(desc:[^\n]*\n){1,8}cmd:[^\n]*\n(positions:[^\n]*\n)?events:/m, refusal('cachegrind output', `print it with “cg_annotate”; ${NO_STACKS}`)],
  [/^desc:[^\n]*\n(cmd:[^\n]*\n)?time_unit:/m, refusal('massif output', 'print it with “ms_print”, or record the heap with “rustscope ./program” instead')],
  [/^(Version: [\d.]+[^\n]*\nFile format: |TRACE START \[)/m, refusal('an Xdebug trace', 'record it as folded stacks (xdebug.trace_format=3) and open that')],
  [/^.*(Time and )?Allocation Profiling Report/m, refusal('a GHC profiling report', 'convert it with “ghc-prof-flamegraph”, or record the program with “rustscope ./program” instead')],
  [/^-{10,}\nBenchmark +Time +CPU/m, refusal('a table of Google Benchmark', 'it holds results and no stacks; record the benchmark with “rustscope ./program” instead')],
  [/^@\w*\[/m, refusal('the output of bpftrace', 'fold its maps with “stackcollapse-bpftrace.pl” and open the result')],
  [/^Attach(ing|ed) \d+ probes?/m, refusal('the output of bpftrace', 'fold its maps with “stackcollapse-bpftrace.pl” and open the result')],
  [/^ *(jdk|profiler)\.\w+ \{/m, refusal('the text of “jfr print”', 'fold the recording itself with async-profiler’s converter (“jfrconv -o collapsed recording.jfr profile.folded”)')],
  [/^ *(Sampling process \d+ for|Analysis of sampling |Sampling completed, processing|Sample analysis of process)/m, refusal('the text of macOS’ “sample”', 'record with samply or Instruments instead, or fold it with “inferno-collapse-sample”')],
  [/^(goroutine|threadcreate|heap|allocs|block|mutex) profile: total \d/m, refusal('a Go profile as text (debug=1)', PPROF)],
  [/^heap profile: +\d+: +\d+ \[ *\d+: +\d+\] @/m, refusal('a heap profile as text (Go’s debug=1, or gperftools)', `of Go ${PPROF}; of gperftools convert it with “google-pprof --collapsed”`)],
  [/^--- (mutex|contention|contentionz [^\n]*|threadz[^\n]*|heapz[^\n]*|growthz[^\n]*) ?---|^--- (mutex|contention):|^goroutine \d+ \[/m, refusal('a Go profile as text (debug=1 or 2)', PPROF)],
  [/^v8-version,/m, refusal('a log of “node --prof”', 'record with “node --cpu-prof” instead and open the .cpuprofile file')],
  [/^# *(Overhead|Children +Self)\b/m, refusal('a report of “perf report”', SCRIPT)],
  [/^ *Performance counter stats for/m, refusal('the output of “perf stat”', NO_STACKS)],
  [/^Flat profile:/m, refusal('a report of gprof', NO_STACKS)],
  [/^v \d+ \d+\n(x|X|I) /m, refusal('a heaptrack recording', 'fold it with “heaptrack_print -F profile.folded FILE” and open that')],
  [/^--- Execution profile ---/m, refusal('the text report of async-profiler', 'record with “-o collapsed” and open that')],
  [/^ *Full thread dump /m, refusal('a Java thread dump', 'it shows one moment and is not a profile; record with async-profiler (“-o collapsed”)')],
  [/^ *\d+ function calls( \(\d+ primitive calls\))? in /m, refusal('a table of Python’s cProfile', 'record with py-spy (“py-spy record -f speedscope”) and open that')],
  [/^(File: [^\n]*\n)?(Build ID: [^\n]*\n)?Type: \w+\n[\s\S]{0,400}\bflat +flat%/m, refusal('a table of “pprof -top”', 'open the .pb.gz file itself')],
  [/^% time +seconds +usecs\/call/m, refusal('a summary of strace', NO_STACKS)],
];

export function foreignText(text: string): string | null {
  for (const [head, sentence] of HEADS) if (head.test(text)) return sentence;
  return null;
}

/** JSON of others by their top-level keys. */
const KEYS: readonly (readonly [keys: readonly string[], sentence: string])[] = [
  [['dhatFileVersion'], refusal('a DHAT profile', 'open it with Valgrind’s dh_view.html, or record the heap with “rustscope ./program” instead')],
  [['context', 'benchmarks'], refusal('the JSON of Google Benchmark', 'it holds results and no stacks; record the benchmark with “rustscope ./program” instead')],
  [['snapshot', 'nodes'], refusal('a V8 heap snapshot', 'it holds objects and no stacks; save an allocation profile or a CPU profile instead')],
  [['linux-perf-json-version'], refusal('the JSON of “perf data convert”', SCRIPT)],
  [['flamebearer'], refusal('Pyroscope’s own JSON', 'export it as pprof or as folded stacks and open that')],
  [['resourceProfiles'], refusal('an OpenTelemetry profile as JSON', 'export it as pprof and open that')],
];

export function foreignJson(keys: { has(key: string): boolean }): string | null {
  for (const [needed, sentence] of KEYS) if (needed.every((key) => keys.has(key))) return sentence;
  return null;
}
