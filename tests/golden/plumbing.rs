//! What session_plumbing_*.json.gz are recordings of: rayon 1.6, futures 0.3 and tokio 1.24 at work, as Debian packages them
//! (librust-*-dev, by a source replacement of crates-io with /usr/share/cargo/registry), built with debug = 1 by the rustc
//! in the file's name: `rustscope --no-tui --no-alloc -o FILE -- target/release/plumbing`.

use futures::stream::{self, StreamExt};
use futures::FutureExt;
use rayon::prelude::*;
use std::time::{Duration, Instant};

#[inline(never)]
fn crunch(x: u64) -> u64 {
    (0..20_000u64).fold(x, |h, n| {
        (h ^ n).rotate_left((h & 31) as u32).wrapping_mul(0x100000001b3)
    })
}

#[inline(never)]
fn compare(a: &u64, b: &u64) -> std::cmp::Ordering {
    (a.wrapping_mul(31) >> 3).cmp(&(b.wrapping_mul(31) >> 3))
}

#[inline(never)]
fn in_parallel() -> u64 {
    let mut all: Vec<u64> = (0..2000u64).into_par_iter().map(crunch).collect();
    all.extend((0..300_000u64).map(|n| n.wrapping_mul(0x9e3779b97f4a7c15)));
    all.par_sort_unstable_by(compare);
    let (a, b) = rayon::join(|| crunch(1), || crunch(2));
    all[7] ^ a ^ b
}

async fn step(n: u64) -> u64 {
    futures::future::ready(n).map(crunch).await
}

#[inline(never)]
fn in_futures() -> u64 {
    futures::executor::block_on(async {
        let joined = futures::future::join_all((0..300u64).map(step)).await;
        let streamed = stream::iter(0..300u64)
            .map(step)
            .buffer_unordered(16)
            .fold(0, |a, b| async move { a ^ b })
            .await;
        joined.len() as u64 ^ streamed
    })
}

async fn serve(n: u64) -> u64 {
    tokio::time::sleep(Duration::from_micros(50)).await;
    let left = crunch(n);
    tokio::task::yield_now().await;
    left ^ crunch(n + 1)
}

#[inline(never)]
fn in_tokio() -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..300u64).map(|n| tokio::spawn(serve(n))).collect();
        let mut sum = 0;
        for task in tasks {
            sum ^= task.await.unwrap();
        }
        sum
    })
}

fn main() {
    let end = Instant::now() + Duration::from_millis(400);
    let mut x = 0;
    while Instant::now() < end {
        x ^= in_parallel() ^ in_futures() ^ in_tokio();
    }
    println!("{x}");
}
