#![doc = include_str!("../README.md")]

mod alloc;
mod bench;
#[cfg(feature = "enabled")]
mod ffi;
mod report;
#[cfg(feature = "enabled")]
mod scope;
#[cfg(feature = "enabled")]
mod task;
#[cfg(feature = "enabled")]
mod wake;

pub use alloc::TrackingAllocator;
pub use bench::{bench_main, black_box, Bencher};
pub use report::*;
#[cfg(feature = "enabled")]
pub use task::Profiled;

/// Measures a function: `fn`, `async fn` (poll by poll), methods, generic ones, `unsafe extern "C"`.
///
/// It is called by its own path, that of a method with its type, so that reports join it with stack samples of that
/// function; or as it is told: `#[profile(name = "cart: add")]`. `#[profile(skip)]` leaves a function out of [`profile_all`].
/// Beside attributes such as `#[tokio::main]` it goes below them. However the function is left, by `?` or a panic too,
/// its call is counted.
///
/// ```
/// use rustscope::profile;
///
/// #[profile]
/// fn parse(text: &str) -> Result<i32, std::num::ParseIntError> {
///     let number: i32 = text.parse()?;
///     Ok(number * 2)
/// }
///
/// #[profile(name = "download")]
/// async fn fetch(url: &str) -> String {
///     url.to_string()
/// }
/// # let _ = fetch("x");
/// assert_eq!(parse("21"), Ok(42));
/// ```
pub use rustscope_macros::profile;

/// Measures all functions of an `impl` or of a `mod { … }`, the `impl`s and modules inside of it included.
///
/// Left out: `const fn`, functions with a `#[profile(…)]` of their own, and those named in `skip(…)`.
///
/// ```
/// use rustscope::{profile_all, profile};
///
/// struct Cart(Vec<u32>);
///
/// #[profile_all(skip(len))]
/// impl Cart {
///     fn add(&mut self, price: u32) {
///         self.0.push(price);
///     }
///     fn len(&self) -> usize {
///         self.0.len()
///     }
///     #[profile(name = "checkout")]
///     fn total(&self) -> u32 {
///         self.0.iter().sum()
///     }
/// }
///
/// let mut cart = Cart(Vec::new());
/// cart.add(3);
/// assert_eq!((cart.total(), cart.len()), (3, 1));
/// ```
pub use rustscope_macros::profile_all;

/// A benchmark, run by [`benchmark_main!`]. A function without parameters is measured whole, its value kept from the
/// optimiser; one that takes a [`Bencher`] prepares, and measures what it gives to [`Bencher::iter`].
///
/// Settings: `name = "…"`; `n = […]` or `range = (low, high, factor)`, a run with each value, in the table with the
/// complexity that fits them best; `threads = […]`, a run in so many threads at once; `time_ms`, to measure for (500);
/// `samples` (100); `batch`, at most so many iterations for each call of the function.
///
/// ```no_run
/// use rustscope::{benchmark, Bencher};
///
/// #[benchmark]
/// fn add() -> u64 {
///     rustscope::black_box(2) + 2
/// }
///
/// #[benchmark(name = "sort 1,000")]
/// fn sort(b: &mut Bencher) {
///     let numbers: Vec<u32> = (0..1000).rev().collect();
///     b.items(1000);
///     b.iter(|| {
///         let mut copy = numbers.clone();
///         copy.sort_unstable();
///         copy
///     });
/// }
///
/// #[benchmark(range = (8, 4096, 8), threads = [1, 2], samples = 50)] // 8, 64, 512 and 4096; each in one thread and in two
/// fn sum(b: &mut Bencher) {
///     let numbers = vec![1u64; b.n() as usize];
///     b.iter(|| numbers.iter().sum::<u64>());
/// }
///
/// rustscope::benchmark_main!();
/// ```
pub use rustscope_macros::benchmark;

/// Measures from here to the end of the block.
///
/// ```
/// for i in 0..10 {
///     rustscope::profile_scope!("request");
///     rustscope::black_box(i);
/// }
/// ```
#[cfg(feature = "enabled")]
#[macro_export]
macro_rules! profile_scope {
    ($name:expr $(,)?) => {
        let mut scope = $crate::__private::Scope::new();
        let _open = scope.enter($crate::__site!($name));
    };
}

/// Nothing: the feature `enabled` is off.
#[cfg(not(feature = "enabled"))]
#[macro_export]
macro_rules! profile_scope {
    ($name:expr $(,)?) => {};
}

/// Measures from here to the end of the block, when the condition holds here.
///
/// ```
/// for i in 0..1000 {
///     rustscope::profile_if!(i % 100 == 0, "housekeeping");
/// }
/// ```
#[cfg(feature = "enabled")]
#[macro_export]
macro_rules! profile_if {
    ($wanted:expr, $name:expr $(,)?) => {
        let mut scope = $crate::__private::Scope::new();
        let _open = scope.enter_if($wanted, $crate::__site!($name));
    };
}

/// Nothing: the feature `enabled` is off, and the condition is not evaluated.
#[cfg(not(feature = "enabled"))]
#[macro_export]
macro_rules! profile_if {
    ($wanted:expr, $name:expr $(,)?) => {
        let _ = || $wanted;
    };
}

/// Measures an expression or a block; its value is the value. `return`, `?` and `break` inside do what they do without it.
///
/// ```
/// let sum: u32 = rustscope::profile_block!("sum", {
///     let numbers = [1, 2, 3];
///     numbers.iter().sum()
/// });
/// assert_eq!(sum, 6);
/// ```
#[macro_export]
macro_rules! profile_block {
    ($name:expr, $value:expr $(,)?) => {{
        $crate::profile_scope!($name);
        $value
    }};
}

/// A future whose polls are measured.
///
/// ```
/// let answer = async { 42 };
/// let measured = rustscope::profile_future!("answer", answer);
/// # drop(measured);
/// ```
#[cfg(feature = "enabled")]
#[macro_export]
macro_rules! profile_future {
    ($name:expr, $future:expr $(,)?) => {
        $crate::Profiled::at($crate::__site!($name), $future)
    };
}

/// The future itself: the feature `enabled` is off.
#[cfg(not(feature = "enabled"))]
#[macro_export]
macro_rules! profile_future {
    ($name:expr, $future:expr $(,)?) => {
        $future
    };
}

/// Panics with a sentence when a metric of a place is above its limit, or nothing of that name has run: for tests.
///
/// ```
/// use rustscope::{assert_perf, profile_scope, Metric};
/// use std::time::Duration;
///
/// for _ in 0..100 {
///     profile_scope!("step");
/// }
/// assert_perf!("step", Metric::P50, Duration::from_secs(1));
/// assert_perf!("step", Metric::Calls, 100);
/// ```
#[macro_export]
macro_rules! assert_perf {
    ($name:expr, $metric:expr, $limit:expr $(,)?) => {
        if let ::core::result::Result::Err(sentence) = $crate::assert_perf($name, $metric, $limit) {
            ::core::panic!("{}", sentence);
        }
    };
}

/// `fn main()` of a program of benchmarks, in a target with `harness = false`. `--help` lists its options; what cargo adds
/// (`--bench`) is understood.
#[macro_export]
macro_rules! benchmark_main {
    () => {
        fn main() {
            ::std::process::exit($crate::bench_main());
        }
    };
}

#[cfg(feature = "enabled")]
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    ($name:expr) => {{
        static SITE: $crate::__private::Site = $crate::__private::Site::new(
            ::core::concat!($name, "\0"),
            ::core::concat!(::core::file!(), "\0"),
            ::core::line!(),
            0,
        );
        &SITE
    }};
}

/// What the macros are made of.
#[cfg(feature = "enabled")]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod __private {
    pub use crate::bench::{Entry as BenchEntry, Run, Settings};
    pub use crate::scope::{Open, Scope, Site};
    pub use crate::task::Profiled;

    pub fn never<T>() -> T {
        unreachable!("only its type is wanted")
    }
}
