//! Benchmarks: the library's runner, with the loop here.

#[cfg(feature = "enabled")]
use {
    crate::ffi,
    std::cell::UnsafeCell,
    std::ffi::CString,
    std::mem::size_of,
    std::os::raw::{c_char, c_int, c_void},
    std::ptr,
};

/// The value, of which the compiler knows nothing any more: neither where it goes nor what it is.
///
/// ```
/// use rustscope::black_box;
///
/// let sum: u64 = black_box((1..=black_box(10u64)).sum()); // computed, not known beforehand
/// assert_eq!(sum, 55);
/// ```
#[inline(always)]
pub fn black_box<T>(mut value: T) -> T {
    unsafe {
        std::arch::asm!("/* {0} */", in(reg) &mut value as *mut T as *mut u8, options(nostack, preserves_flags));
    }
    value
}

/// What a benchmark is given.
///
/// ```
/// use rustscope::{benchmark, Bencher};
///
/// #[benchmark]
/// fn copy(b: &mut Bencher) {
///     let from = vec![1u8; 4096]; // setup: not timed
///     b.bytes(4096);
///     b.iter(|| from.clone());
/// }
/// ```
#[repr(transparent)]
pub struct Bencher {
    #[cfg(feature = "enabled")]
    bench: ffi::Bench,
}

impl Bencher {
    /// Runs `body` as often as is wanted and measures that. Once in each benchmark; what stands before it is setup and is
    /// not timed. What `body` returns is kept from the optimiser and dropped inside the time.
    #[inline(always)]
    pub fn iter<R>(&mut self, mut body: impl FnMut() -> R) {
        #[cfg(feature = "enabled")]
        unsafe {
            let mut left = ffi::rustscope_bench_start(&mut self.bench);

            while left != 0 {
                drop(black_box(body()));
                left -= 1;
            }
            ffi::rustscope_bench_stop(&mut self.bench);
        }
        #[cfg(not(feature = "enabled"))]
        drop(black_box(body()));
    }

    /// Runs `body` on inputs of its own, which `setup` makes before the time begins; what `body` returns is dropped after
    /// it has ended. Once in each benchmark. At most `#[benchmark(batch = …)]` inputs, or 1,000, exist at the same time.
    ///
    /// ```
    /// use rustscope::{benchmark, Bencher};
    ///
    /// #[benchmark]
    /// fn sort(b: &mut Bencher) {
    ///     let numbers: Vec<u32> = (0..100).rev().collect();
    ///     b.iter_batched(|| numbers.clone(), |mut copy| {
    ///         copy.sort_unstable();
    ///         copy
    ///     });
    /// }
    /// ```
    #[inline(always)]
    pub fn iter_batched<I, R>(&mut self, setup: impl FnMut() -> I, mut body: impl FnMut(I) -> R) {
        let count = self.batch(1000) as usize;
        let inputs: Vec<I> = std::iter::repeat_with(setup).take(count).collect();
        let mut results = Vec::with_capacity(count);
        let mut inputs = inputs.into_iter();

        self.iter(|| results.extend(inputs.next().map(|input| body(black_box(input)))));
        drop(black_box(results));
    }

    /// How many inputs to make for this call; no more than MOST for the next ones.
    fn batch(&mut self, most: u64) -> u64 {
        let _ = most;
        #[cfg(feature = "enabled")]
        {
            self.bench.batch = most;
            self.bench.iterations
        }
        #[cfg(not(feature = "enabled"))]
        1
    }

    /// The parameter of this run, one of `#[benchmark(n = […])]` or of its `range`; 0 without one.
    pub fn n(&self) -> i64 {
        #[cfg(feature = "enabled")]
        return self.bench.n;
        #[cfg(not(feature = "enabled"))]
        0
    }

    /// Which thread of this run calls, from 0: there are several with `#[benchmark(threads = […])]`.
    pub fn thread(&self) -> u32 {
        #[cfg(feature = "enabled")]
        return self.bench.thread;
        #[cfg(not(feature = "enabled"))]
        0
    }

    /// What one iteration handles, for the throughput.
    pub fn bytes(&mut self, bytes: u64) {
        let _ = bytes;
        #[cfg(feature = "enabled")]
        {
            self.bench.bytes = bytes;
        }
    }

    /// What one iteration handles, for the throughput.
    pub fn items(&mut self, items: u64) {
        let _ = items;
        #[cfg(feature = "enabled")]
        {
            self.bench.items = items;
        }
    }
}

/// A benchmark that [`bench_main`] knows: static, made by `#[benchmark]`.
#[cfg(feature = "enabled")]
pub struct Entry(UnsafeCell<ffi::BenchEntry>, Settings);

/// What stands in `#[benchmark(…)]`. Zero and empty: as the runner likes it.
#[cfg(feature = "enabled")]
#[derive(Clone, Copy)]
pub struct Settings {
    pub n: &'static [i64],
    pub range: (i64, i64, i64),
    pub threads: &'static [u32],
    pub time_ms: u64,
    pub samples: u32,
    pub batch: u64,
}

#[cfg(feature = "enabled")]
impl Settings {
    pub const NONE: Settings = Settings { n: &[], range: (0, 0, 0), threads: &[], time_ms: 0, samples: 0, batch: 0 };
}

/// What it runs: behind a name, since constants of Rust 1.63 may not speak of `&mut`.
#[cfg(feature = "enabled")]
pub struct Run(pub fn(&mut Bencher));

#[cfg(feature = "enabled")]
unsafe impl Sync for Entry {}

#[cfg(feature = "enabled")]
impl Entry {
    pub const fn new(
        name: &'static str,
        file: &'static str,
        line: u32,
        run: &'static Run,
        settings: Settings,
    ) -> Entry {
        assert!(settings.n.len() <= 32, "at most 32 values of n");
        assert!(settings.threads.len() <= 16, "at most 16 numbers of threads");
        let entry = UnsafeCell::new(ffi::BenchEntry {
            name: name.as_ptr() as *const c_char,
            file: file.as_ptr() as *const c_char,
            line,
            n_count: 0,
            thread_count: 0,
            run: Some(run_entry),
            declare: None,
            ctx: run as *const Run as *mut c_void,
            config: ffi::BenchConfig {
                size: size_of::<ffi::BenchConfig>(),
                name: name.as_ptr() as *const c_char,
                time_ns: 0,
                warmup_ns: 0,
                iterations: 0,
                batch: 0,
                bytes: 0,
                items: 0,
                seed: 0,
                n: 0,
                samples: 0,
                threads: 0,
                setup: None,
                teardown: None,
            },
            n: [0; 32],
            threads: [0; 16],
            next: ptr::null_mut(),
        });

        Entry(entry, settings)
    }

    /// At the start of the program.
    pub fn register(&'static self) {
        let (entry, settings) = (self.0.get(), &self.1);
        let (low, high, factor) = settings.range;
        let mut wrong = 0;

        unsafe {
            for n in settings.n {
                wrong |= ffi::rustscope_bench_add_n(entry, *n);
            }
            if factor != 0 {
                wrong |= ffi::rustscope_bench_add_range(entry, low, high, factor);
            }
            for threads in settings.threads {
                wrong |= ffi::rustscope_bench_add_threads(entry, *threads);
            }
            wrong |= ffi::rustscope_bench_set(entry, settings.time_ms, settings.samples, settings.batch);
            ffi::rustscope_bench_register(entry);
        }
        if wrong != 0 {
            eprintln!(
                "rustscope: some settings of {} are left out: a range is (low, high, factor) with 1 <= low <= high and \
                 factor >= 2, threads are 1 or more, and there are at most 32 values of n",
                unsafe { std::ffi::CStr::from_ptr((*entry).name) }.to_string_lossy()
            );
        }
    }
}

#[cfg(feature = "enabled")]
unsafe extern "C" fn run_entry(bench: *mut ffi::Bench) {
    let run = (*((*bench).ctx as *const Run)).0;

    // A panic must not unwind through C: it has printed its message, and there is nothing left to measure.
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut *(bench as *mut Bencher)))).is_err() {
        std::process::exit(1);
    }
}

/// Runs all `#[benchmark]`s of the program as its options say; returns the program's exit status. See [`benchmark_main!`](crate::benchmark_main).
pub fn bench_main() -> i32 {
    #[cfg(feature = "enabled")]
    {
        // cargo bench adds `--bench`, which means nothing here.
        let arguments: Vec<CString> = std::env::args()
            .filter(|argument| argument != "--bench")
            .map(|argument| CString::new(argument).unwrap_or_default())
            .collect();
        let mut argv: Vec<*mut c_char> = arguments.iter().map(|argument| argument.as_ptr() as *mut c_char).collect();
        let argc = argv.len() as c_int;

        argv.push(ptr::null_mut());
        unsafe { ffi::rustscope_bench_main(argc, argv.as_mut_ptr()) }
    }
    #[cfg(not(feature = "enabled"))]
    {
        eprintln!("rustscope is compiled without its feature `enabled`: no benchmarks");
        1
    }
}
