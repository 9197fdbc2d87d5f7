//! Settings and results. They belong to the process, so the tests take turns.

#![cfg(feature = "enabled")]

use rustscope::{assert_perf, profile_block, profile_scope, Function, Metric, Snapshot, TimelineFormat};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(|e| e.into_inner());

    rustscope::reset();
    turn
}

fn figures(name: &str) -> Function {
    Snapshot::take().unwrap().function(name).unwrap_or_else(|| panic!("{} has not run", name))
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("rustscope-{}-{}.json", name, std::process::id()))
}

fn taken(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();

    std::fs::remove_file(path).unwrap();
    text
}

#[test]
fn figures_are_in_order() {
    let _turn = turn();
    for i in 0..500u32 {
        profile_scope!("ordered");
        profile_block!("child", (0..i).map(rustscope::black_box).sum::<u32>());
    }
    let f = figures("ordered");
    assert_eq!((f.calls, f.timed_calls, f.max_depth), (500, 500, 1));
    assert!(f.self_ns <= f.total_ns && f.self_ns > 0.0);
    assert!(
        f.min_ns <= f.p50_ns * 1.02 && f.p50_ns <= f.p95_ns && f.p95_ns <= f.p99_ns && f.p99_ns <= f.max_ns * 1.02,
        "{:?}",
        f
    );
    assert!(f.min_ns <= f.mean_ns && f.mean_ns <= f.max_ns && f.stddev_ns > 0.0);
}

#[test]
fn reset_forgets_and_counting_goes_on() {
    let _turn = turn();
    let call = || profile_block!("forgotten", ());
    call();
    rustscope::reset();
    assert_eq!(Snapshot::take().unwrap().function("forgotten").map_or(0, |f| f.calls), 0);
    call();
    call();
    assert_eq!(figures("forgotten").calls, 2);
}

#[test]
fn pause_and_resume() {
    let _turn = turn();
    let step = || profile_block!("paused", ());
    step();
    rustscope::pause();
    step();
    rustscope::resume();
    step();
    assert_eq!(figures("paused").calls, 2);
}

#[test]
fn an_outlier_fires_after_the_warm_up_and_never_before() {
    let _turn = turn();
    let call = |ms: u64| {
        profile_scope!("outlier");
        std::thread::sleep(Duration::from_millis(ms));
    };
    for i in 0..9 {
        call(if i == 4 { 50 } else { 0 });
    }
    assert_eq!(figures("outlier").outlier_count, 0);
    rustscope::reset();
    for _ in 0..20 {
        call(0);
    }
    let before = figures("outlier").outlier_count;
    /* Whatever the twenty took on this machine, this is far beyond it. */
    call(50 + 30 * figures("outlier").max_ns as u64 / 1_000_000);
    assert_eq!(figures("outlier").outlier_count, before + 1);
}

#[test]
fn a_budget_counts_and_calls_back() {
    let _turn = turn();
    let told = Arc::new(AtomicU64::new(0));
    let counted = told.clone();
    let call = || {
        profile_scope!("with a budget");
        std::thread::sleep(Duration::from_millis(2));
    };

    rustscope::set_budget_with("with a budget", Duration::from_micros(500), move |name, took, limit| {
        if name == "with a budget" && limit == Duration::from_micros(500) && took > limit {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        panic!("goes no further");
    })
    .unwrap();
    for _ in 0..3 {
        call();
    }
    let f = figures("with a budget");
    assert!((499_990..=500_010).contains(&f.budget_ns), "{}", f.budget_ns); /* kept in ticks */
    assert_eq!((f.budget_violations, told.load(Ordering::Relaxed)), (3, 3));
    rustscope::set_budget("with a budget", Duration::ZERO).unwrap();
    call();
    assert_eq!(told.load(Ordering::Relaxed), 3);
}

#[test]
fn assert_perf_is_silent_or_a_sentence() {
    let _turn = turn();
    for _ in 0..10 {
        profile_scope!("held to it");
    }
    assert_perf!("held to it", Metric::P99, Duration::from_secs(3600));
    assert_perf!("held to it", Metric::Calls, 10);
    let why = rustscope::assert_perf("held to it", Metric::Calls, 9).unwrap_err();
    assert!(why.contains("held to it") && why.contains("10"), "{}", why);
    assert!(rustscope::assert_perf("nobody", Metric::Mean, 1.0).is_err());
    let panic = std::panic::catch_unwind(|| assert_perf!("held to it", Metric::Calls, 0)).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("held to it"));
}

#[test]
fn threads_add_up() {
    let _turn = turn();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                for _ in 0..10_000 {
                    profile_scope!("in threads");
                }
            })
        })
        .collect();
    while threads.iter().any(|t| !t.is_finished()) {
        let _ = Snapshot::take().unwrap().functions(); /* while they run */
    }
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(figures("in threads").calls, 40_000);
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_calls() {
    fn resident_bytes() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
    fn call(times: u32) {
        for i in 0..times {
            profile_scope!("often");
            rustscope::black_box(i);
        }
    }
    let _turn = turn();

    call(10_000);
    let before = resident_bytes();
    call(2_000_000);
    assert_eq!(figures("often").calls, 2_010_000);
    assert!(resident_bytes() < before + (1 << 20), "{} of {}", resident_bytes(), before);
}

#[test]
fn the_session_is_described_in_its_json() {
    let _turn = turn();
    let path = file("session");
    let long = "x".repeat(500);
    rustscope::set_session_name("a name").unwrap();
    rustscope::add_tag("twice").unwrap();
    rustscope::add_tag("twice").unwrap();
    rustscope::set_label("key", "va\"lue").unwrap();
    rustscope::set_label(&long, "cut\0xyzzy").unwrap();
    rustscope::mark("a mark");
    rustscope::counter("a counter", 1.5);
    profile_block!("in the file", ());
    rustscope::write_json(&path).unwrap();
    let json = taken(&path);
    for text in ["\"a name\"", "\"va\\\"lue\"", "\"in the file\"", "\"cut\"", &long] {
        assert!(json.contains(text), "no {} in {}", text, json);
    }
    assert_eq!((json.matches("\"twice\"").count(), json.matches("xyzzy").count()), (1, 0));
    assert!(rustscope::write_json("/nowhere/at/all.json").is_err());
    let info = rustscope::info().unwrap();
    assert!(!info.clock.is_empty() && info.threads >= 1);
    assert_eq!(info.mode, "default");
}

#[test]
fn the_timeline_is_off_until_it_is_asked_for_and_in_order() {
    let _turn = turn();
    let path = file("timeline");
    profile_block!("before the timeline", ());
    rustscope::timeline_enable(100).unwrap();
    for _ in 0..5 {
        profile_scope!("on the timeline");
        profile_block!("within", ());
    }
    rustscope::timeline_enable(0).unwrap();
    assert_eq!(rustscope::timeline_write(&path, TimelineFormat::Ndjson).unwrap(), 0);
    let text = taken(&path);
    let names: Vec<bool> = text
        .lines()
        .filter(|l| l.contains("timeline\"") || l.contains("within\""))
        .map(|l| l.contains("within"))
        .collect();
    assert!(!text.contains("before the timeline"), "{}", text);
    assert_eq!(names, [false, true].repeat(5), "{}", text);
}
