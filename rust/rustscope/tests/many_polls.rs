//! A process of its own, since it looks at what the whole process uses.

#![cfg(feature = "enabled")]

use rustscope::{profile_future, Snapshot};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

struct Ignored;

impl Wake for Ignored {
    fn wake(self: Arc<Self>) {}
}

/// Ready at the poll after so many.
struct Pending(u32);

impl Future for Pending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        Poll::Pending
    }
}

/// 0 where there is no /proc.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).map_or(0, |pages| pages.parse::<u64>().unwrap() * 4096)
}

#[test]
fn a_million_polls_are_counted_and_take_no_memory_each() {
    let waker = Waker::from(Arc::new(Ignored));
    let mut future = Box::pin(profile_future!("patient", Pending(999_999)));
    let mut before = 0;

    for poll in 0..1_000_000 {
        assert_eq!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready(), poll == 999_999);
        if poll == 10_000 {
            before = resident_bytes();
        }
    }
    assert_eq!(Snapshot::take().unwrap().function("patient").unwrap().calls, 1_000_000);
    assert!(resident_bytes() < before + (1 << 20), "{} of {}", resident_bytes(), before);
}

/// Keeps a waker between its two polls.
struct Waits(Option<Waker>);

impl Future for Waits {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.take().is_some() {
            return Poll::Ready(());
        }
        self.0 = Some(context.waker().clone());
        Poll::Pending
    }
}

#[test]
fn a_million_futures_that_keep_wakers_take_no_memory_each() {
    let waker = Waker::from(Arc::new(Ignored));
    let mut before = 0;

    /* 100 at a time; a note on a wake-up takes some 48 bytes, so that a million would take 48 MB. */
    for round in 0..10_000 {
        let mut waiting: Vec<_> = (0..100).map(|_| profile_future!("waiting", Waits(None))).collect();
        for future in &mut waiting {
            let mut future = unsafe { Pin::new_unchecked(future) };
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            if round % 2 == 0 {
                assert!(future.poll(&mut Context::from_waker(&waker)).is_ready());
            } /* else it is dropped with its waker */
        }
        if round == 100 {
            before = resident_bytes();
        }
    }
    assert!(resident_bytes() < before + (4 << 20), "{} of {}", resident_bytes(), before);
}
