//! What this crate's parts cost, beside what they cannot be cheaper than, in one process: one line of JSON, in ns.
//! bench/rust.py runs many.

use rustscope::{black_box, profile_future, profile_scope, TrackingAllocator};
use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

const ROUNDS: usize = 15;
const CALLS: u64 = 100_000;

/// The fastest of the rounds: what disturbs only adds.
fn ns(mut body: impl FnMut()) -> f64 {
    let mut best = f64::MAX;

    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for _ in 0..CALLS {
            body();
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / CALLS as f64);
    }
    best
}

#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "aarch64")]
fn ticks() -> u64 {
    let ticks: u64;
    unsafe { std::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks) };
    ticks
}

struct Ignored;

impl Wake for Ignored {
    fn wake(self: Arc<Self>) {}
}

/// Never ready.
struct Never(u64);

impl Future for Never {
    type Output = ();

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0 += 1;
        Poll::Pending
    }
}

fn poll_ns(future: impl Future<Output = ()>) -> f64 {
    let waker = Waker::from(Arc::new(Ignored));
    let mut context = Context::from_waker(&waker);
    let mut future = Box::pin(future);

    ns(|| assert!(future.as_mut().poll(&mut context).is_pending()))
}

fn pair_ns(allocator: &impl GlobalAlloc) -> f64 {
    let layout = Layout::from_size_align(48, 8).unwrap();

    ns(|| unsafe {
        let block = black_box(allocator.alloc(black_box(layout)));
        allocator.dealloc(block, layout);
    })
}

fn main() {
    let clock = ns(|| {
        black_box(ticks());
        black_box(ticks());
    });
    let scope = ns(|| {
        profile_scope!("cost");
    });
    let plain_poll = poll_ns(Never(0));
    let poll = poll_ns(profile_future!("poll", Never(0)));
    let plain_pair = pair_ns(&System);
    let pair = pair_ns(&TrackingAllocator::system());
    rustscope::pause();
    let paused = ns(|| {
        profile_scope!("cost");
    });

    println!(
        "{{\"clock\": {:.2}, \"scope\": {:.2}, \"paused\": {:.2}, \"plain_poll\": {:.2}, \"poll\": {:.2}, \
         \"plain_pair\": {:.2}, \"pair\": {:.2}}}",
        clock, scope, paused, plain_poll, poll, plain_pair, pair
    );
}
