//! Futures: measured by poll, whatever thread polls them and however they end.

#![cfg(feature = "enabled")]

use rustscope::{profile, profile_future, profile_scope, Function, Snapshot};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

struct Ignored;

impl Wake for Ignored {
    fn wake(self: Arc<Self>) {}
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::new(Ignored))))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);

    loop {
        if let Poll::Ready(value) = poll_once(future.as_mut()) {
            return value;
        }
    }
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

fn figures(name: &str) -> Function {
    Snapshot::take().unwrap().function(name).unwrap_or_else(|| panic!("{} has not run", name))
}

#[profile]
async fn three_polls(text: &str) -> usize {
    #![allow(unused)]
    Pending(2).await;
    text.len()
}

#[profile]
async fn coerces(first: bool) -> Box<dyn Fn() -> u32> {
    if first {
        return Box::new(|| 1);
    }
    Box::new(|| 2)
}

#[profile]
async fn generic<T: Clone + Send>(value: &T) -> Result<Vec<T>, String> {
    let list: Result<Vec<T>, String> = Ok(vec![value.clone()]);
    Ok(list?)
}

#[profile(name = "opaque future")]
async fn opaque(n: u32) -> impl Iterator<Item = u32> {
    Pending(1).await;
    0..n
}

struct Client;

impl Client {
    #[profile(name = "method")]
    async fn get(&self, path: &str) -> String {
        Pending(1).await;
        path.to_string()
    }
}

#[test]
fn an_async_function_is_counted_by_its_polls() {
    assert_eq!(block_on(three_polls("four")), 4);
    assert_eq!(block_on(coerces(true))() + block_on(coerces(false))(), 3);
    assert_eq!(block_on(generic(&5)).unwrap(), [5]);
    assert_eq!(block_on(opaque(3)).count(), 3);
    assert_eq!(block_on(Client.get("/")), "/");
    assert_eq!(figures("tasks::three_polls").calls, 3);
    assert_eq!((figures("opaque future").calls, figures("method").calls), (2, 2));
}

#[test]
fn what_lies_between_polls_is_not_busy_time() {
    let mut future = Box::pin(profile_future!("sleeps between", async {
        let spin = Instant::now();
        while spin.elapsed() < Duration::from_millis(2) {}
        Pending(1).await;
    }));
    let begin = Instant::now();

    assert!(poll_once(future.as_mut()).is_pending());
    let first = begin.elapsed();
    std::thread::sleep(Duration::from_millis(50));
    let second = Instant::now();
    assert!(poll_once(future.as_mut()).is_ready());
    let most = (first + second.elapsed()).as_nanos() as f64;
    let f = figures("sleeps between");
    assert_eq!(f.calls, 2);
    assert!(f.total_ns >= 1.9e6 && f.total_ns <= most * 1.01, "{} of {}", f.total_ns, most);
}

#[test]
fn scopes_inside_a_poll_lie_below_the_task_and_futures_nest() {
    block_on(profile_future!("outer task", async {
        Pending(1).await;
        profile_future!("inner task", async {
            Pending(1).await;
            profile_scope!("in the task");
        })
        .await
    }));
    let paths = Snapshot::take().unwrap().paths();
    let depth = |name: &str| paths.iter().filter(|(_, f)| f.name == name && f.calls > 0).map(|p| p.0).max().unwrap();
    assert_eq!(depth("in the task"), depth("outer task") + 2);
    assert_eq!((figures("outer task").calls, figures("inner task").calls), (3, 2));
}

#[test]
fn a_future_moves_between_threads_and_stays_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let mut future = Box::pin(is_send(profile_future!("travels", Pending(8))));
    let mut polls = 0;

    loop {
        let (back, ready) = std::thread::spawn(move || {
            let ready = poll_once(future.as_mut()).is_ready();
            (future, ready)
        })
        .join()
        .unwrap();
        future = back;
        polls += 1;
        if ready {
            break;
        }
    }
    drop(future);
    assert_eq!((polls, figures("travels").calls), (9, 9));
    drop(is_send(three_polls("x")));
}

#[test]
fn a_future_that_is_dropped_before_its_end_counts_as_cancelled() {
    let path = std::env::temp_dir().join(format!("rustscope-tasks-{}.json", std::process::id()));

    for _ in 0..3 {
        let mut future = Box::pin(profile_future!("given up", Pending(5)));
        assert!(poll_once(future.as_mut()).is_pending());
    }
    drop(profile_future!("given up", Pending(1))); /* never polled */
    rustscope::write_json(&path).unwrap();
    let json = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let tasks = &json[json.find("\"async_tasks\"").unwrap()..];
    let ours = &tasks[tasks.find("given up").unwrap()..];
    let number = |field: &str| -> u64 {
        let at = ours.find(&format!("\"{}\":", field)).unwrap_or_else(|| panic!("no {} in {}", field, ours))
            + field.len()
            + 3;
        ours[at..].trim_start().chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    assert_eq!((number("cancelled"), number("polls")), (4, 3));
}

#[test]
fn a_panic_in_a_poll_ends_the_poll() {
    let future = profile_future!("panics in poll", async {
        profile_scope!("inside the panic");
        if rustscope::black_box(true) {
            panic!("as planned");
        }
    });

    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(future))).is_err());
    assert_eq!((figures("panics in poll").calls, figures("inside the panic").calls), (1, 1));
}

/// What select! makes of two futures: polls both, and drops the one that is late.
struct FirstOf<A, B>(Pin<Box<A>>, Pin<Box<B>>);

impl<T, A: Future<Output = T>, B: Future<Output = T>> Future for FirstOf<A, B> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.0.as_mut().poll(context) {
            Poll::Pending => self.1.as_mut().poll(context),
            ready => ready,
        }
    }
}

#[test]
fn of_two_futures_that_race_each_has_its_own_polls() {
    for _ in 0..1000 {
        block_on(FirstOf(
            Box::pin(profile_future!("the late one", Pending(7))),
            Box::pin(profile_future!("the early one", Pending(2))),
        ));
    }
    assert_eq!((figures("the late one").calls, figures("the early one").calls), (3000, 3000));
}
