//! The part of include/rustscope.h that this crate calls. Layouts are the header's; the test below asks a C compiler.

#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_int, c_uint, c_void};
use std::sync::atomic::AtomicU32;

#[repr(C)]
pub struct Site {
    pub name: *const c_char,
    pub function: *const c_char,
    pub file: *const c_char,
    pub line: u32,
    pub mode: u32,
    pub flags: u32,
    pub id: u32,
}

#[repr(C)]
pub struct Frame {
    pub node: *mut c_void,
    pub cur: *mut c_void,
    pub child_ticks: u64,
    pub start_ticks: u64,
    pub alloc_bytes: u64,
    pub saved_sp: usize,
    pub how: u32,
    pub open: u32,
}

#[repr(C)]
pub struct Task {
    pub site: *mut Site,
    pub created_ticks: u64,
    pub last_exit_ticks: u64,
    pub polls: u64,
    pub reserved: [u64; 5],
    pub wake_ticks: u64,
    pub frame: Frame,
}

#[repr(C)]
pub struct Allocations {
    pub bytes: u64,
    pub blocks: u64,
}

#[repr(C)]
pub struct Function {
    pub size: usize,
    pub name: *const c_char,
    pub file: *const c_char,
    pub line: u32,
    pub max_depth: u32,
    pub calls: u64,
    pub timed_calls: u64,
    pub total_ns: f64,
    pub self_ns: f64,
    pub min_ns: f64,
    pub mean_ns: f64,
    pub stddev_ns: f64,
    pub max_ns: f64,
    pub p50_ns: f64,
    pub p95_ns: f64,
    pub p99_ns: f64,
    pub alloc_bytes: u64,
    pub outlier_count: u64,
    pub budget_ns: u64,
    pub budget_violations: u64,
}

#[repr(C)]
pub struct Info {
    pub size: usize,
    pub clock: *const c_char,
    pub mode: *const c_char,
    pub resolution_ns: f64,
    pub overhead_ns: f64,
    pub inside_ns: f64,
    pub precise_offset_ns: f64,
    pub skipped: u64,
    pub folded_paths: u64,
    pub threads: u64,
}

#[repr(C)]
pub struct Bench {
    pub iterations: u64,
    pub n: i64,
    pub thread: u32,
    pub threads: u32,
    pub ctx: *mut c_void,
    pub bytes: u64,
    pub items: u64,
    pub fours: u64,
    pub ones: u64,
    pub start_ticks: u64,
    pub stop_ticks: u64,
    pub alloc_bytes: u64,
    pub alloc_blocks: u64,
    pub repeats: u32,
    pub loops: u32,
    pub open: u32,
    pub own_loop: u32,
    pub batch: u64,
    pub reserved: [u64; 3],
}

pub type BenchFn = unsafe extern "C" fn(*mut Bench);

#[repr(C)]
pub struct BenchConfig {
    pub size: usize,
    pub name: *const c_char,
    pub time_ns: u64,
    pub warmup_ns: u64,
    pub iterations: u64,
    pub batch: u64,
    pub bytes: u64,
    pub items: u64,
    pub seed: u64,
    pub n: i64,
    pub samples: u32,
    pub threads: u32,
    pub setup: Option<BenchFn>,
    pub teardown: Option<BenchFn>,
}

#[repr(C)]
pub struct BenchEntry {
    pub name: *const c_char,
    pub file: *const c_char,
    pub line: u32,
    pub n_count: u32,
    pub thread_count: u32,
    pub run: Option<BenchFn>,
    pub declare: Option<unsafe extern "C" fn(*mut BenchEntry)>,
    pub ctx: *mut c_void,
    pub config: BenchConfig,
    pub n: [i64; 32],
    pub threads: [u32; 16],
    pub next: *mut BenchEntry,
}

pub enum Snapshot {}

pub type FunctionFn = unsafe extern "C" fn(*const Function, *mut c_void);
pub type PathFn = unsafe extern "C" fn(*const Function, c_uint, *mut c_void);
pub type BudgetFn = unsafe extern "C" fn(*const c_char, u64, u64, *mut c_void);

extern "C" {
    /// Its lowest bit means off; any thread changes it. Carries the ABI's number in its name: a library of another number
    /// does not link.
    pub static rustscope_state_v1: AtomicU32;

    pub fn rustscope_register_site(site: *mut Site) -> u32;
    pub fn rustscope_enter(frame: *mut Frame, site: *mut Site);
    pub fn rustscope_leave(frame: *mut Frame);
    pub fn rustscope_task_begin(task: *mut Task, site: *mut Site);
    pub fn rustscope_task_poll_enter(task: *mut Task);
    pub fn rustscope_task_poll_exit(task: *mut Task, ready: c_int);
    pub fn rustscope_task_wake_at(task: *mut Task, ticks: u64);
    pub fn rustscope_task_end(task: *mut Task, cancelled: c_int);
    pub fn rustscope_task_clock() -> u64;
    pub fn rustscope_allocated() -> Allocations;
    pub fn rustscope_count_allocation(bytes: usize);

    pub fn rustscope_set_session_name(name: *const c_char) -> c_int;
    pub fn rustscope_add_tag(tag: *const c_char) -> c_int;
    pub fn rustscope_set_label(key: *const c_char, value: *const c_char) -> c_int;
    pub fn rustscope_set_outlier_sigma(sigma: f64);
    pub fn rustscope_set_outlier_warmup(calls: u64);
    pub fn rustscope_set_budget(name: *const c_char, ns: u64, callback: Option<BudgetFn>, ctx: *mut c_void) -> c_int;
    pub fn rustscope_pause();
    pub fn rustscope_resume();
    pub fn rustscope_mark(name: *const c_char);
    pub fn rustscope_counter(name: *const c_char, value: f64);

    pub fn rustscope_reset();
    pub fn rustscope_collect() -> *mut Snapshot;
    pub fn rustscope_snapshot_free(snapshot: *mut Snapshot);
    pub fn rustscope_foreach_function(snapshot: *const Snapshot, f: FunctionFn, ctx: *mut c_void) -> usize;
    pub fn rustscope_foreach_path(snapshot: *const Snapshot, f: PathFn, ctx: *mut c_void) -> usize;
    pub fn rustscope_write_json(path: *const c_char) -> c_int;
    pub fn rustscope_get_info(out: *mut Info) -> c_int;
    pub fn rustscope_assert_perf(name: *const c_char, metric: c_uint, limit: f64) -> c_int;
    pub fn rustscope_why() -> *const c_char;
    pub fn rustscope_timeline_enable(max_events: usize) -> c_int;
    pub fn rustscope_timeline_write(path: *const c_char, format: c_uint, dropped: *mut u64) -> c_int;

    pub fn rustscope_bench_start(bench: *mut Bench) -> u64;
    pub fn rustscope_bench_stop(bench: *mut Bench);
    pub fn rustscope_bench_register(entry: *mut BenchEntry);
    pub fn rustscope_bench_add_n(entry: *mut BenchEntry, n: i64) -> c_int;
    pub fn rustscope_bench_add_range(entry: *mut BenchEntry, low: i64, high: i64, factor: i64) -> c_int;
    pub fn rustscope_bench_add_threads(entry: *mut BenchEntry, threads: u32) -> c_int;
    pub fn rustscope_bench_set(entry: *mut BenchEntry, time_ms: u64, samples: u32, batch: u64) -> c_int;
    pub fn rustscope_bench_main(argc: c_int, argv: *mut *mut c_char) -> c_int;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::size_of;
    use std::process::Command;

    /// The header's structs, as the C compiler lays them out.
    #[test]
    fn structs_are_as_large_as_the_headers() {
        let structs = [
            ("site", size_of::<Site>()),
            ("frame", size_of::<Frame>()),
            ("task", size_of::<Task>()),
            ("allocations", size_of::<Allocations>()),
            ("function", size_of::<Function>()),
            ("info", size_of::<Info>()),
            ("bench", size_of::<Bench>()),
            ("bench_config", size_of::<BenchConfig>()),
            ("bench_entry", size_of::<BenchEntry>()),
        ];
        let folder = std::env::temp_dir();
        let source = folder.join(format!("rustscope-layout-{}.c", std::process::id()));
        let text: String = structs
            .iter()
            .map(|(name, size)| {
                format!(
                    "_Static_assert(sizeof(struct rustscope_{name}) == {size}, \"{name}\");\n",
                    name = name,
                    size = size
                )
            })
            .collect();

        std::fs::write(&source, format!("#include <rustscope.h>\n{}", text)).unwrap();
        let compiled = Command::new("cc")
            .args(["-fsyntax-only", "-I", concat!(env!("CARGO_MANIFEST_DIR"), "/csrc/include")])
            .arg(&source)
            .output()
            .unwrap();
        std::fs::remove_file(&source).unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    }
}
