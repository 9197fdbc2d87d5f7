// SPDX-License-Identifier: MIT
// Makes session files with planted truths for the end-to-end tests, the bench and, when no recording is at hand, the
// built-in sample: a service that parses JSON lines, whose map grows at 7.8 s (the spike), and which keeps every 20th
// record (the leak). The same options give the same bytes.

const START = 1_790_000_000_000;

/* path of frames: name|crate|layer|file|line|i (inlined) */
const STACKS = [
  [40, 'main', 'core::ops::function::FnOnce::call_once{{vtable.shim}}|core|std', 'ingest::main|ingest|user|src/main.rs|41', 'ingest::accept::run|ingest|user|src/accept.rs|18', 'mio::poll::Poll::poll|mio|dep|mio/src/poll.rs|432', 'epoll_wait|libc.so.6|runtime', '[kernel] do_epoll_wait|kernel|kernel'],
  [300, 'worker', 'WORKER', 'ingest::worker::handle|ingest|user|src/worker.rs|77', 'ingest::parse::line|ingest|user|src/parse.rs|23', 'serde_json::de::from_str<ingest::model::Event>|serde_json|dep|serde_json/src/de.rs|2699', "<ingest::model::Event as serde::de::Deserialize>::deserialize::<&mut serde_json::de::Deserializer<serde_json::read::StrRead<'_>>>|serde|dep|serde/src/de/mod.rs|540|i", 'serde_json::read::SliceRead::parse_str|serde_json|dep|serde_json/src/read.rs|480'],
  [120, 'worker', 'WORKER', 'ingest::worker::handle|ingest|user|src/worker.rs|77', 'ingest::parse::line|ingest|user|src/parse.rs|23', 'serde_json::de::from_str<ingest::model::Event>|serde_json|dep|serde_json/src/de.rs|2699', "<ingest::model::Event as serde::de::Deserialize>::deserialize::<&mut serde_json::de::Deserializer<serde_json::read::StrRead<'_>>>|serde|dep|serde/src/de/mod.rs|540|i", '<alloc::string::String as core::clone::Clone>::clone|alloc|std|alloc/src/string.rs|2210', 'alloc::raw_vec::RawVec<T,A>::try_allocate_in|alloc|std|alloc/src/raw_vec.rs|180|i', '__rust_alloc|alloc|alloc', 'malloc|libc.so.6|alloc'],
  [90, 'worker', 'WORKER', 'ingest::worker::handle|ingest|user|src/worker.rs|77', 'ingest::parse::line|ingest|user|src/parse.rs|31', 'core::str::converts::from_utf8|core|std|core/src/str/converts.rs|87'],
  [110, 'worker', 'WORKER', 'ingest::worker::handle|ingest|user|src/worker.rs|84', 'ingest::index::Index::insert|ingest|user|src/index.rs|52', 'hashbrown::map::HashMap<K,V,S,A>::insert|hashbrown|dep|hashbrown/src/map.rs|1754', 'core::hash::BuildHasher::hash_one|core|std|core/src/hash/mod.rs|691|i', '<core::hash::sip::Hasher<S> as core::hash::Hasher>::write|core|std|core/src/hash/sip.rs|258'],
  [24, 'worker', 'WORKER', 'ingest::worker::handle|ingest|user|src/worker.rs|84', 'ingest::index::Index::insert|ingest|user|src/index.rs|52', 'hashbrown::map::HashMap<K,V,S,A>::insert|hashbrown|dep|hashbrown/src/map.rs|1754', 'core::slice::<impl [T]>::copy_from_slice|core|std|core/src/slice/mod.rs|3800|i', '__memcpy_avx_unaligned_erms|libc.so.6|runtime'],
  [70, 'worker', 'WORKER', 'ingest::worker::handle|ingest|user|src/worker.rs|91', 'ingest::metrics::observe|ingest|user|src/metrics.rs|14', 'alloc::fmt::format|alloc|std|alloc/src/fmt.rs|640', 'core::fmt::write|core|std|core/src/fmt/mod.rs|1191', '<core::fmt::Formatter as core::fmt::Write>::write_str|core|std|core/src/fmt/mod.rs|2600'],
  [46, 'worker', 'WORKER', 'ingest::worker::handle|ingest|user|src/worker.rs|96', 'ingest::dedup::seen::{{closure}}|ingest|user|src/dedup.rs|33', 'ingest::dedup::walk|ingest|user|src/dedup.rs|44', 'ingest::dedup::walk|ingest|user|src/dedup.rs|44', 'ingest::dedup::walk|ingest|user|src/dedup.rs|44', 'ingest::dedup::walk|ingest|user|src/dedup.rs|44'],
  [60, 'writer', 'std::thread::Builder::spawn_unchecked_::{{closure}}|std|std', 'ingest::store::flush|ingest|user|src/store.rs|60', 'lz4_flex::block::compress::compress_internal|lz4_flex|dep|lz4_flex/src/block/compress.rs|402'],
  [26, 'writer', 'std::thread::Builder::spawn_unchecked_::{{closure}}|std|std', 'ingest::store::flush|ingest|user|src/store.rs|71', '<std::fs::File as std::io::Write>::write_all|std|std|std/src/fs.rs|900', 'write|libc.so.6|runtime', '[kernel] ksys_write|kernel|kernel', '[kernel] ext4_file_write_iter|kernel|kernel'],
];
const WORKER = ['std::thread::Builder::spawn_unchecked_::{{closure}}|std|std', 'tokio::runtime::scheduler::multi_thread::worker::run|tokio|runtime|tokio/src/runtime/scheduler/multi_thread/worker.rs|466', 'tokio::runtime::task::raw::poll|tokio|runtime|tokio/src/runtime/task/raw.rs|271', 'tokio::runtime::task::core::Core<T,S>::poll|tokio|runtime|tokio/src/runtime/task/core.rs|328|i'];
const SPIKE = [...WORKER, 'ingest::worker::handle|ingest|user|src/worker.rs|84', 'ingest::index::Index::insert|ingest|user|src/index.rs|52', 'hashbrown::map::HashMap<K,V,S,A>::insert|hashbrown|dep|hashbrown/src/map.rs|1754', 'hashbrown::raw::RawTable<T,A>::reserve_rehash|hashbrown|dep|hashbrown/src/raw/mod.rs|1158'];

function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** FANOUT > 0 adds that many distinct tails of functions, for sessions of a chosen size. */
export function makeSession({ seconds = 14.2, rateHz = 997, seed = 7, fanout = 0, spike = true, leak = true, scale = 1, name = 'ingest', intervalMs = 100 } = {}) {
  const next = random(seed);
  const strings = [''];
  const stringIds = new Map([['', 0]]);
  const text = (value) => {
    let id = stringIds.get(value);
    if (id === undefined) stringIds.set(value, (id = strings.push(value) - 1));
    return id;
  };
  const modules = { path: [], name: [], build_id: [], arch: [], symbols: [] };
  const moduleIds = new Map();
  const module = (path, symbols) => {
    const base = path.split('/').pop();
    if (!moduleIds.has(base)) {
      moduleIds.set(base, modules.path.length);
      modules.path.push(text(path));
      modules.name.push(text(base));
      modules.build_id.push(text('9f3c21aa'));
      modules.arch.push(text('x86_64'));
      modules.symbols.push(symbols);
    }
    return moduleIds.get(base);
  };
  const own = module(`/srv/${name}/target/release/${name}`, 'dwarf');
  const libc = module('/usr/lib/x86_64-linux-gnu/libc.so.6', 'symtab');
  const kernel = module('[kernel]', 'symtab');

  const frames = { func: [], object: [], addr: [], crate: [], file: [], line: [], inlined: [], layer: [] };
  const frameIds = new Map();
  const frame = (spec) => {
    let id = frameIds.get(spec);
    if (id !== undefined) return id;
    const [func, crate, layer, file = '', line = '0', inlined = ''] = spec.split('|');
    frameIds.set(spec, (id = frames.func.length));
    frames.func.push(text(func));
    frames.object.push(layer === 'kernel' ? kernel : crate === 'libc.so.6' ? libc : own);
    frames.addr.push(4096 + id * 64);
    frames.crate.push(text(crate === 'kernel' ? '' : crate));
    frames.file.push(text(file));
    frames.line.push(Number(line));
    frames.inlined.push(inlined ? 1 : 0);
    frames.layer.push(layer);
    return id;
  };
  const nodes = { parent: [], frame: [] };
  const nodeIds = new Map();
  const node = (path) => {
    let parent = -1;
    for (const spec of path) {
      const key = `${parent}:${frame(spec)}`;
      let id = nodeIds.get(key);
      if (id === undefined) {
        nodeIds.set(key, (id = nodes.parent.push(parent) - 1));
        nodes.frame.push(frame(spec));
      }
      parent = id;
    }
    return parent;
  };
  const expand = (path) => path.flatMap((one) => (one === 'WORKER' ? WORKER : [one]));
  const tail = () => {
    const specs = [];
    const depth = 2 + Math.floor(next() * 14);
    for (let i = 0, at = Math.floor(next() * fanout); i < depth; i++, at = (at * 31 + 7) % fanout) specs.push(`lib${at % 23}::mod${at % 61}::function_${at}|lib${at % 23}|dep|lib${at % 23}/src/mod${at % 61}.rs|${at % 900}`);
    return specs;
  };

  const workers = 4;
  const threads = ['ingest', ...Array.from({ length: workers }, (_, i) => `tokio-worker-${i}`), 'store-writer'];
  const points = Math.round((seconds * 1000) / intervalMs);
  const perBucket = (rateHz * intervalMs) / 1000;
  const [spikeFrom, spikeTo] = [Math.round(points * 0.55), Math.round(points * 0.68)];
  const leaves = STACKS.map(([weight, thread, ...path]) => ({ weight, thread, path: expand(path) }));
  const totalWeight = leaves.reduce((sum, leaf) => sum + leaf.weight, 0);
  const tails = fanout ? Array.from({ length: fanout * 4 }, () => { const leaf = leaves[1 + Math.floor(next() * 6)]; return node([...leaf.path.slice(0, 6), ...tail()]); }) : [];

  const cpu = { interval_ms: intervalMs, start: [0], node: [], thread: [], weight_us: [], samples: [] };
  const off = { interval_ms: intervalMs, start: [0], node: [], thread: [], wait_us: [], count: [], approx: true };
  const alloc = { interval_ms: intervalMs, start: [0], node: [], thread: [], bytes: [], count: [], net_bytes: [] };
  const line = { cpu_pct: [], anon_mb: [], rss_mb: [], heap_mb: [], threads: [], open_fds: [], alloc_bytes: [], read_bytes: [], write_bytes: [] };
  const allocNodes = [
    { node: node([...leaves[2].path]), size: 96, share: 1, keep: 0.02 },
    { node: node([...leaves[6].path.slice(0, -2), '__rust_alloc|alloc|alloc', 'malloc|libc.so.6|alloc']), size: 48, share: 0.7, keep: 0 },
    { node: node([...leaves[4].path.slice(0, -2), '__rust_alloc|alloc|alloc', 'malloc|libc.so.6|alloc']), size: 256, share: 0.3, keep: leak ? 0.05 : 0 },
  ];
  const grow = node([...SPIKE, 'alloc::alloc::Global::alloc_impl|alloc|std|alloc/src/alloc.rs|183|i', '__rust_alloc|alloc|alloc', 'malloc|libc.so.6|alloc']);
  const totals = allocNodes.map(() => ({ bytes: 0, count: 0, kept: 0 }));
  const grown = { bytes: 0, count: 0 };
  const wait = node([...WORKER, 'tokio::runtime::park::Inner::park|tokio|runtime|tokio/src/runtime/park.rs|89', 'pthread_cond_wait|libc.so.6|runtime', '[kernel] futex_wait_queue|kernel|kernel']);
  let heap = 9;
  for (let b = 0; b < points; b++) {
    const hot = spike && b >= spikeFrom && b < spikeTo;
    const load = (0.55 + 0.35 * Math.sin(b / 9) ** 2 + 0.1 * next()) * (b < 3 ? 0.4 : 1);
    const rows = new Map();
    const budget = Math.max(2, Math.round(perBucket * load * scale));
    for (let i = 0; i < budget; i++) {
      let at = next() * totalWeight;
      let leaf = leaves[0];
      for (const one of leaves) if ((at -= one.weight) < 0) { leaf = one; break; }
      const deep = tails.length && leaf.thread === 'worker' && next() < 0.9;
      const id = hot && next() < 0.72 ? node(SPIKE) : deep ? tails[Math.floor(next() * tails.length)] : node(leaf.path);
      const thread = leaf.thread === 'main' ? 0 : leaf.thread === 'writer' ? threads.length - 1 : 1 + Math.floor(next() * workers);
      const key = id * 64 + thread;
      rows.set(key, (rows.get(key) ?? 0) + 1);
    }
    for (const [key, count] of [...rows].sort((a, z) => a[0] - z[0])) {
      cpu.node.push(Math.floor(key / 64));
      cpu.thread.push(key % 64);
      cpu.weight_us.push(Math.round((count * 1e6) / rateHz));
      cpu.samples.push(count);
    }
    cpu.start.push(cpu.node.length);
    for (let w = 1; w <= workers; w++) {
      off.node.push(wait);
      off.thread.push(w);
      off.wait_us.push(Math.round(intervalMs * 1000 * (1 - load) * (0.6 + 0.4 * next())));
      off.count.push(12);
    }
    off.start.push(off.node.length);
    let allocated = 0;
    allocNodes.forEach((site, i) => {
      const count = Math.round(900 * load * site.share);
      const bytes = count * site.size;
      const kept = Math.round(bytes * site.keep);
      alloc.node.push(site.node);
      alloc.thread.push(1 + (b % workers));
      alloc.bytes.push(bytes);
      alloc.count.push(count);
      alloc.net_bytes.push(kept);
      totals[i].bytes += bytes;
      totals[i].count += count;
      totals[i].kept += kept;
      allocated += bytes;
      heap += kept / 1e6;
    });
    if (hot && (b - spikeFrom) % 3 === 0) {
      const bytes = 2 ** (20 + Math.floor((b - spikeFrom) / 3) % 6);
      alloc.node.push(grow);
      alloc.thread.push(1);
      alloc.bytes.push(bytes);
      alloc.count.push(1);
      alloc.net_bytes.push(Math.round(bytes / 2));
      grown.bytes += bytes;
      grown.count++;
      allocated += bytes;
      heap += bytes / 2e6;
    }
    alloc.start.push(alloc.node.length);
    line.cpu_pct.push(Number((Math.min(workers + 1, (budget / perBucket) * (hot ? 1.9 : 1)) * 100).toFixed(1)));
    line.heap_mb.push(Number(heap.toFixed(3)));
    line.anon_mb.push(Number((heap * 1.08 + 1).toFixed(3)));
    line.rss_mb.push(Number((heap * 1.08 + 7.5).toFixed(3)));
    line.threads.push(b < 2 ? 1 : workers + 2);
    line.open_fds.push(12 + Math.floor(6 * Math.sin(b / 21) ** 2) + (hot ? 3 : 0));
    line.alloc_bytes.push(allocated);
    line.read_bytes.push(Math.round(180000 * load));
    line.write_bytes.push(b % 10 === 0 ? Math.round(900000 * load) : 0);
  }

  const durationMs = points * intervalMs;
  const allocSites = [...allocNodes.map((site, i) => ({ node: site.node, ...totals[i], peak: totals[i].kept, temporary: Math.round(totals[i].count * (site.keep ? 0.4 : 0.97)), life: site.keep ? 42000 : 11 })), ...(grown.count ? [{ node: grow, bytes: grown.bytes, count: grown.count, kept: 0, peak: Math.round(grown.bytes / 2), temporary: 0, life: 900000 }] : [])];
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const cpuMs = sum(cpu.weight_us) / 1000;
  const spikeEvent = spike ? [
    { ts: START + spikeFrom * intervalMs, end_ts: START + spikeTo * intervalMs, type: 'cpu_spike', process: 0, size_bytes: 0, peak: Math.max(...line.cpu_pct.slice(spikeFrom, spikeTo)), location: `CPU spike: ${Math.round(Math.max(...line.cpu_pct.slice(spikeFrom, spikeTo)))} % for ${(((spikeTo - spikeFrom) * intervalMs) / 1000).toFixed(1)} s`, top_functions: [{ name: 'hashbrown::raw::RawTable<T,A>::reserve_rehash', pct: 71.4 }], top_allocations: [{ node: grow, path: 'hashbrown::raw::RawTable<T,A>::reserve_rehash', bytes: grown.bytes, count: grown.count }] },
    { ts: START + (spikeFrom + 6) * intervalMs, end_ts: START + spikeTo * intervalMs, type: 'spike', process: 0, size_bytes: grown.bytes / 2, peak: Math.max(...line.heap_mb), location: `memory grew by ${(grown.bytes / 2e6).toFixed(0)} MB in ${(((spikeTo - spikeFrom) * intervalMs) / 1000).toFixed(1)} s`, top_functions: [], top_allocations: [] },
  ] : [];
  const scopeNames = ['handle', 'parse', 'index', 'flush'];
  const bench = Array.from({ length: 120 }, () => 1180 + 60 * (next() + next() + next() - 1.5) + (next() < 0.04 ? 260 * next() : 0)).map((value) => Number(value.toFixed(1)));
  const sorted = [...bench].sort((a, z) => a - z);
  const mean = sum(bench) / bench.length;
  return {
    schema_version: 4,
    generator: { name: 'rustscope', version: '0.1.0' },
    meta: { project: name, target_binary: `/srv/${name}/target/release/${name}`, argv: [name, '--lines', 'events.jsonl'], cwd: `/srv/${name}`, pid: 4211, start_ts: START, end_ts: START + durationMs, duration_sec: durationMs / 1000, clock: { unix_ms: START, mono_ns: 1 }, rustscope_version: '0.1.0', host_os: 'Linux', host_arch: 'x86_64', host_kernel: '6.1', cpu_model: 'EPYC', cpu_cores: 8, rate_hz: 100, stack_rate_hz: rateHz, stop_reason: 'exit', exit_code: 0, name, tags: [], labels: {} },
    summary: { cpu_avg_pct: Number((sum(line.cpu_pct) / points).toFixed(1)), cpu_peak_pct: Math.max(...line.cpu_pct), cpu_ms: cpuMs, heap_avg_mb: 30, heap_peak_mb: Math.max(...line.heap_mb), heap_source: 'live', anon_peak_mb: Math.max(...line.anon_mb), rss_peak_mb: Math.max(...line.rss_mb), thread_avg: workers + 2, thread_peak: workers + 2, fd_peak: 21, total_allocations: sum(alloc.count), total_deallocations: sum(alloc.count) - 900, total_alloc_bytes: sum(alloc.bytes), temporary_allocations: sum(allocSites.map((site) => site.temporary)), leaked_bytes: totals[2].kept, leaked_allocations: Math.round(totals[2].kept / 256), spikes: spikeEvent.length },
    samples: [],
    timeline: { interval_ms: intervalMs, ...line, counters: {} },
    process_timeline: { interval_ms: intervalMs, start: Array.from({ length: points + 1 }, (_, i) => i), process: new Array(points).fill(0), cpu_pct: line.cpu_pct, anon_mb: line.anon_mb, heap_mb: line.heap_mb },
    functions: [],
    memory_events: spikeEvent,
    strings, modules, frames, nodes, cpu, offcpu: off,
    allocations: {
      measured: true, by_size: { '0-64B': totals[1].count, '65-512B': totals[0].count + totals[2].count, '513B-4KB': 220, '4KB-64KB': 31, '>64KB': grown.count }, peak: { ts: START + spikeTo * intervalMs, bytes: Math.round(Math.max(...line.heap_mb) * 1e6) },
      lifetimes: [120, 800, 4200, 19000, 52000, 31000, 9000, 2100, 700, 260, 140, 90, 40, 22, 10, 6, 5, 8, 12, 9],
      node: allocSites.map((site) => site.node), count: allocSites.map((site) => site.count), bytes: allocSites.map((site) => site.bytes), peak_bytes: allocSites.map((site) => site.peak), leaked_bytes: allocSites.map((_, i) => (i === 2 && leak ? totals[2].kept : 0)), leaked_count: allocSites.map((_, i) => (i === 2 && leak ? Math.round(totals[2].kept / 256) : 0)), temporary: allocSites.map((site) => site.temporary), lifetime_p50_us: allocSites.map((site) => site.life),
    },
    alloc_buckets: alloc,
    leaks: leak ? [{ bytes: totals[2].kept, count: Math.round(totals[2].kept / 256), node: allocNodes[2].node, first_ts: START + 200, last_ts: START + durationMs - 100, process: 0, suppressed: false }] : [],
    processes: [{ id: 0, pid: 4211, start_ns: 1, image: 0, parent: -1, argv: [name, '--lines', 'events.jsonl'], exe: `/srv/${name}/target/release/${name}`, object: own, cpu_ms: cpuMs, rss_peak_mb: Math.max(...line.rss_mb), heap_peak_mb: Math.max(...line.heap_mb), alloc_bytes: sum(alloc.bytes), shim: { status: 'loaded', reason: '' }, end_ts: START + durationMs, exit: 0, name, allocations: sum(alloc.count), deallocations: sum(alloc.count) - (leak ? Math.round(totals[2].kept / 256) : 0), leaked_allocations: leak ? Math.round(totals[2].kept / 256) : 0, leaked_bytes: leak ? totals[2].kept : 0, anon_peak_mb: Math.max(...line.anon_mb), thread_peak: workers + 2 }],
    threads: threads.map((thread, i) => ({ process: 0, tid: 4211 + i, name: thread, cpu_ms: sum(cpu.weight_us.filter((_, row) => cpu.thread[row] === i)) / 1000, start_ts: START + (i ? 180 : 0), end_ts: START + durationMs })),
    scopes: { process: [0, 0, 0, 0], name: scopeNames.map(text), file: scopeNames.map(() => text('src/worker.rs')), line: [77, 23, 52, 60], timed_calls: [41000, 41000, 41000, 140], clocks: [], parent: [-1, 0, 0, -1], calls: [41000, 41000, 41000, 140], total_ns: [6.1e9, 3.2e9, 1.9e9, 0.9e9], self_ns: [1e9, 3.2e9, 1.9e9, 0.9e9], min_ns: [80e3, 40e3, 9e3, 4e6], max_ns: [61e6, 2.2e6, 58e6, 21e6], mean_ns: [149e3, 78e3, 46e3, 6.4e6], stddev_ns: [2e5, 2e4, 9e4, 1e6], p50_ns: [131e3, 74e3, 21e3, 6.1e6], p95_ns: [240e3, 120e3, 64e3, 9.3e6], p99_ns: [900e3, 190e3, 610e3, 14e6], max_depth: [1, 1, 1, 1], alloc_bytes: [4e8, 2e8, 1e8, 0], alloc_count: [9e5, 5e5, 2e5, 0], outlier_count: [3, 0, 4, 1], budget_ns: [1e6, 0, 0, 1e7], budget_violations: [12, 0, 0, 2] },
    outliers: spike ? [{ name: 'index', ts: START + (spikeFrom + 2) * intervalMs, duration_ns: 58e6, process: 0, node: 2, thread: 2, sigma: 11.2 }, { name: 'handle', ts: START + (spikeFrom + 2) * intervalMs, duration_ns: 61e6, process: 0, node: 0, thread: 2, sigma: 9.4 }] : [],
    budget_violations: spike ? [{ name: 'handle', ts: START + (spikeFrom + 2) * intervalMs, duration_ns: 61e6, budget_ns: 1e6, count: 12, process: 0, worst_ns: 61e6, worst_ts: START + (spikeFrom + 2) * intervalMs }] : [],
    async_tasks: [{ name: 'connection', polls: 41000, busy_ns: 6.1e9, idle_ns: 41e9, start_ts: START, end_ts: START + durationMs, state: 'done', process: 0, started: 41000, completed: 41000, cancelled: 0, first_poll_delay_ns: 2e6, scheduled_ns: 3e9, lifetime_ns: 47.1e9, max_poll_ns: 61e6 }],
    benchmarks: [{ name: 'parse/event', iterations: 120, warmup_iterations: 30, unit: 'ns', mean_ns: mean, median_ns: sorted[60], stddev_ns: 38, mad_ns: 21, ci95_ns: [mean - 6.5, mean + 6.5], min_ns: sorted[0], max_ns: sorted[119], outliers: { low_mild: 0, low_severe: 0, high_mild: 3, high_severe: 1 }, throughput: { 'lines/s': 847000 }, samples_ns: bench, profiled: false }],
    crate_rollups: [], module_rollups: [], hotspot_snapshots: [],
    diagnostics: { stack_backend: 'perf_event', stack_rate_achieved_hz: rateHz, stack_samples: sum(cpu.samples), stack_lost: 0, stacks_truncated: 3, stacks_stitched: 0, stop_reasons: {}, unknown_symbols: 2, overhead_pct: 1.2, alloc_backend: 'shim', events_received: 120000, events_dropped: 0, inherited_frees: 0, unknown_frees: 0, folded: {}, warnings: [] },
  };
}
