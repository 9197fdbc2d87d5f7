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
