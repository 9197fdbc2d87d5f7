//! Futures, timed poll by poll through the library's tasks.

use crate::ffi;
use crate::scope::Site;
use crate::wake::Wakes;
use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future whose polls are measured: made by `#[profile]` on an `async fn` and by
/// [`profile_future!`](crate::profile_future).
///
/// Busy time is the time inside of polls. Between them it is scheduled from when its waker was used, and idle before. Dropped before it is ready it counts as
/// cancelled. It may move between threads; scopes inside of a poll appear below it.
///
/// ```
/// use rustscope::{profile_future, Snapshot};
/// use std::{future::Future, task::{Context, Poll, Wake, Waker}};
/// # struct Ignored;
/// # impl Wake for Ignored { fn wake(self: std::sync::Arc<Self>) {} }
/// # let waker = Waker::from(std::sync::Arc::new(Ignored));
///
/// let mut future = Box::pin(profile_future!("answer", async { 42 }));
/// assert_eq!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(42));
/// assert_eq!(Snapshot::take().unwrap().function("answer").unwrap().calls, 1); // one poll
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct Profiled<F> {
    task: MaybeUninit<ffi::Task>,
    wakes: Wakes,
    done: bool,
    future: F,
}

// The task's pointers are the library's and only used inside of a poll.
unsafe impl<F: Send> Send for Profiled<F> {}
unsafe impl<F: Sync> Sync for Profiled<F> {}

struct Polling<'a>(&'a mut MaybeUninit<ffi::Task>, bool);

impl Drop for Polling<'_> {
    #[inline]
    fn drop(&mut self) {
        unsafe { ffi::rustscope_task_poll_exit(self.0.as_mut_ptr(), self.1 as i32) }
    }
}

impl<F> Profiled<F> {
    #[doc(hidden)]
    #[inline]
    pub fn at(site: &'static Site, future: F) -> Profiled<F> {
        let mut task = MaybeUninit::uninit();

        unsafe { ffi::rustscope_task_begin(task.as_mut_ptr(), site.as_ptr()) };
        Profiled { task, wakes: Wakes::new(), done: false, future }
    }
}

impl<F: Future> Future for Profiled<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // `future` is pinned with us and never moved; the rest is not pinned.
        let this = unsafe { self.get_unchecked_mut() };

        if unsafe { (*this.task.as_ptr()).site.is_null() } {
            return unsafe { Pin::new_unchecked(&mut this.future) }.poll(context);
        }
        let woken = this.wakes.take();
        if woken != 0 {
            unsafe { ffi::rustscope_task_wake_at(this.task.as_mut_ptr(), woken) };
        }
        unsafe { ffi::rustscope_task_poll_enter(this.task.as_mut_ptr()) };
        let mut polling = Polling(&mut this.task, false);
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        let result = this.wakes.poll(context, |context| future.poll(context));

        polling.1 = result.is_ready();
        drop(polling);
        if result.is_ready() {
            this.done = true;
            this.wakes.let_go();
        }
        result
    }
}

impl<F> Drop for Profiled<F> {
    #[inline]
    fn drop(&mut self) {
        unsafe { ffi::rustscope_task_end(self.task.as_mut_ptr(), !self.done as i32) }
    }
}
