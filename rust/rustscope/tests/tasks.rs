//! Futures: measured by poll, whatever thread polls them and however they end.

#![cfg(feature = "enabled")]

use rustscope::{profile, profile_future, profile_scope, Function, Snapshot};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
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

/// A figure of the task NAME in async_tasks[].
fn task_figure(name: &str, field: &str) -> u64 {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let number = WRITTEN.fetch_add(1, SeqCst);
    let path = std::env::temp_dir().join(format!("rustscope-tasks-{}-{}.json", std::process::id(), number));

    rustscope::write_json(&path).unwrap();
    let json = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let tasks = &json[json.find("\"async_tasks\"").unwrap()..];
    let ours = &tasks[tasks.find(&format!("\"name\":\"{}\"", name)).unwrap()..];
    let at = ours.find(&format!("\"{}\":", field)).unwrap_or_else(|| panic!("no {} in {}", field, ours));
    let digits = ours[at + field.len() + 3..].trim_start();
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// Keeps the waker of its polls, each time only when it wakes another than the kept one, as tokio's and futures' do.
struct Keeps {
    waker: Arc<Mutex<Option<Waker>>>,
    clones: Arc<AtomicU32>,
    left: u32,
}

impl Keeps {
    fn new(polls: u32) -> (Keeps, Arc<Mutex<Option<Waker>>>, Arc<AtomicU32>) {
        let (waker, clones) = (Arc::new(Mutex::new(None)), Arc::new(AtomicU32::new(0)));

        (Keeps { waker: waker.clone(), clones: clones.clone(), left: polls }, waker, clones)
    }
}

impl Future for Keeps {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        let mut kept = self.waker.lock().unwrap();
        if !kept.as_ref().map_or(false, |waker| waker.will_wake(context.waker())) {
            *kept = Some(context.waker().clone());
            self.clones.fetch_add(1, SeqCst);
        }
        Poll::Pending
    }
}

/// Counts how often it is used.
struct Counts(AtomicU32);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_future_that_was_woken_is_scheduled_and_not_idle() {
    let (future, kept, clones) = Keeps::new(3);
    let executor = Arc::new(Counts(AtomicU32::new(0)));
    let waker = Waker::from(executor.clone());
    let mut future = Box::pin(profile_future!("woken", future));
    let poll = |future: Pin<&mut _>| Future::poll(future, &mut Context::from_waker(&waker)).is_ready();

    assert!(!poll(future.as_mut()));
    std::thread::sleep(Duration::from_millis(20));
    kept.lock().unwrap().as_ref().unwrap().wake_by_ref();
    std::thread::sleep(Duration::from_millis(30));
    kept.lock().unwrap().as_ref().unwrap().wake_by_ref(); /* it has been ready to go on since the first */
    assert!(!poll(future.as_mut()));
    std::thread::sleep(Duration::from_millis(10));
    assert!(!poll(future.as_mut())); /* nobody woke it */
    std::thread::sleep(Duration::from_millis(10));
    kept.lock().unwrap().take().unwrap().wake();
    std::thread::sleep(Duration::from_millis(10));
    assert!(poll(future.as_mut()));
    drop(future);
    assert_eq!((executor.0.load(SeqCst), figures("woken").calls), (3, 4));
    let (idle, scheduled) = (task_figure("woken", "idle_ns"), task_figure("woken", "scheduled_ns"));
    assert!(idle >= 39_900_000 && scheduled >= 39_900_000, "{} idle, {} scheduled", idle, scheduled);
    assert!(scheduled < 3 * idle && idle < 3 * scheduled, "{} idle, {} scheduled", idle, scheduled);
    /* The first poll lends a waker; from the clone of it on it is the same one. */
    assert_eq!(clones.load(SeqCst), 1);
}

#[test]
fn a_future_that_wakes_itself_is_scheduled_from_its_polls_end() {
    struct Yields(u32);
    impl Future for Yields {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            if self.0 == 0 {
                return Poll::Ready(());
            }
            self.0 -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    }
    let mut future = Box::pin(profile_future!("yields", Yields(2)));

    while poll_once(future.as_mut()).is_pending() {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(future);
    let (idle, scheduled) = (task_figure("yields", "idle_ns"), task_figure("yields", "scheduled_ns"));
    assert!(scheduled >= 9_900_000 && idle < scheduled / 4, "{} idle, {} scheduled", idle, scheduled);
}

#[test]
fn wakers_outlive_their_future_and_keep_nothing_alive_when_they_are_gone() {
    let executors: Vec<Arc<Counts>> = (0..3).map(|_| Arc::new(Counts(AtomicU32::new(0)))).collect();
    let (future, kept, clones) = Keeps::new(9);
    let mut future = Box::pin(profile_future!("outer of outlived", profile_future!("outlived", future)));
    let mut earlier = Vec::new();

    /* Another waker each time, as an executor may give that moved the future. */
    for executor in &executors {
        let waker = Waker::from(executor.clone());
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        earlier.push(kept.lock().unwrap().clone().unwrap());
    }
    assert_eq!(clones.load(SeqCst), 3);
    drop(future);
    for waker in &earlier {
        waker.wake_by_ref();
    }
    std::thread::spawn(move || earlier.into_iter().for_each(Waker::wake)).join().unwrap();
    kept.lock().unwrap().take();
    for executor in executors {
        assert_eq!((executor.0.load(SeqCst), Arc::strong_count(&executor)), (2, 1));
    }
}

#[test]
fn a_future_that_is_ready_keeps_no_waker_of_its_executor() {
    let executor = Arc::new(Counts(AtomicU32::new(0)));
    let waker = Waker::from(executor.clone());
    let (future, kept, _) = Keeps::new(1);
    let mut future = Box::pin(profile_future!("finished and kept", future));

    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    kept.lock().unwrap().take();
    drop(waker);
    assert_eq!(Arc::strong_count(&executor), 1);
    drop(future);
}

#[test]
fn many_futures_are_woken_by_many_threads_while_they_are_polled() {
    let executor = Arc::new(Counts(AtomicU32::new(0)));
    let stop = AtomicU32::new(0);
    let shared: Vec<Mutex<Option<Waker>>> = (0..300).map(|_| Mutex::new(None)).collect();

    std::thread::scope(|scope| {
        let wakers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut woken = 0u32;
                    while stop.load(SeqCst) == 0 {
                        for place in &shared {
                            let waker = place.lock().unwrap().clone();
                            if let Some(waker) = waker {
                                waker.wake();
                                woken += 1;
                            }
                        }
                    }
                    woken
                })
            })
            .collect();
        let waker = Waker::from(executor.clone());
        for _ in 0..200 {
            let mut futures: Vec<_> = shared
                .iter()
                .map(|place| {
                    let (future, kept, _) = Keeps::new(2);
                    (Box::pin(profile_future!("woken by many", future)), kept, place)
                })
                .collect();
            for _ in 0..3 {
                for (future, kept, place) in &mut futures {
                    let _ = future.as_mut().poll(&mut Context::from_waker(&waker));
                    *place.lock().unwrap() = kept.lock().unwrap().clone();
                }
            }
        }
        stop.store(1, SeqCst);
        let woken: u32 = wakers.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(executor.0.load(SeqCst), woken);
    });
    drop(shared);
    assert_eq!(Arc::strong_count(&executor), 1);
    assert_eq!(figures("woken by many").calls, 200 * 300 * 3);
}

#[test]
fn a_future_that_is_dropped_before_its_end_counts_as_cancelled() {
    for _ in 0..3 {
        let mut future = Box::pin(profile_future!("given up", Pending(5)));
        assert!(poll_once(future.as_mut()).is_pending());
    }
    drop(profile_future!("given up", Pending(1))); /* never polled */
    assert_eq!((task_figure("given up", "cancelled"), task_figure("given up", "polls")), (4, 3));
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
