//! Settings and results, safe and without pointers. Each function has two bodies: with the feature `enabled` it calls the
//! library, without it there is nothing to call, and `#[inline]` leaves nothing of the call either.

#[cfg(feature = "enabled")]
use crate::ffi;
use std::io;
use std::path::Path;
use std::time::Duration;

#[cfg(feature = "enabled")]
use {
    std::ffi::{CStr, CString},
    std::os::raw::{c_char, c_int, c_uint, c_void},
    std::ptr::NonNull,
};

/// Text for C, up to its first zero byte. Short ones need no allocation.
#[cfg(feature = "enabled")]
fn with_c<R>(text: &str, f: impl FnOnce(*const c_char) -> R) -> R {
    let bytes = text.as_bytes();
    let len = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let mut short = [0u8; 128];

    if len < short.len() {
        short[..len].copy_from_slice(&bytes[..len]);
        return f(short.as_ptr() as *const c_char);
    }
    let long = CString::new(&bytes[..len]).unwrap_or_default();
    f(long.as_ptr())
}

#[cfg(feature = "enabled")]
unsafe fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    CStr::from_ptr(from).to_string_lossy().into_owned()
}

#[cfg(feature = "enabled")]
fn status(rc: c_int) -> io::Result<()> {
    match rc {
        0 => Ok(()),
        rc => Err(io::Error::from_raw_os_error(-rc)),
    }
}

#[cfg(not(feature = "enabled"))]
#[inline]
fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "rustscope is compiled without its feature `enabled`"))
}

/// With the feature `enabled` the block, else the expression behind `else`.
macro_rules! enabled {
    ($on:block else $off:expr) => {{
        #[cfg(feature = "enabled")]
        {
            $on
        }
        #[cfg(not(feature = "enabled"))]
        {
            $off
        }
    }};
}

#[cfg(feature = "enabled")]
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The session's name in reports.
///
/// # Errors
/// When the library is out of room.
#[inline]
pub fn set_session_name(name: &str) -> io::Result<()> {
    let _ = name;
    enabled!({ status(with_c(name, |name| unsafe { ffi::rustscope_set_session_name(name) })) } else Ok(()))
}

/// A tag of the session; given twice it is kept once.
///
/// # Errors
/// Beyond 64 tags.
#[inline]
pub fn add_tag(tag: &str) -> io::Result<()> {
    let _ = tag;
    enabled!({ status(with_c(tag, |tag| unsafe { ffi::rustscope_add_tag(tag) })) } else Ok(()))
}

/// A label of the session; given again it replaces.
///
/// # Errors
/// Beyond 64 labels.
#[inline]
pub fn set_label(key: &str, value: &str) -> io::Result<()> {
    let _ = (key, value);
    enabled!({
        status(with_c(key, |key| with_c(value, |value| unsafe { ffi::rustscope_set_label(key, value) })))
    } else Ok(()))
}

/// A call is an outlier when it differs from the mean so far by more than `sigma` (3) standard deviations …
#[inline]
pub fn set_outlier_sigma(sigma: f64) {
    let _ = sigma;
    enabled!({ unsafe { ffi::rustscope_set_outlier_sigma(sigma) } } else ())
}

/// … after so many calls (10).
#[inline]
pub fn set_outlier_warmup(calls: u64) {
    let _ = calls;
    enabled!({ unsafe { ffi::rustscope_set_outlier_warmup(calls) } } else ())
}

/// Calls of the scopes named `name` should take at most `limit`: those that take more are counted and the worst is kept.
/// Given again it replaces; a limit of zero removes it.
///
/// # Errors
/// When the library is out of room.
#[inline]
pub fn set_budget(name: &str, limit: Duration) -> io::Result<()> {
    let _ = (name, limit);
    enabled!({
        let ns = nanoseconds(limit);
        status(with_c(name, |name| unsafe { ffi::rustscope_set_budget(name, ns, None, std::ptr::null_mut()) }))
    } else Ok(()))
}

/// The same, and `callback` is told each time: the name, what the call took, what it should have taken. It runs in the
/// thread whose call was late, after its scope has ended. A panic in it ends there. Callbacks are never freed, since
/// another thread may be in one while it is replaced.
///
/// # Errors
/// When the library is out of room.
#[inline]
pub fn set_budget_with<F>(name: &str, limit: Duration, callback: F) -> io::Result<()>
where
    F: Fn(&str, Duration, Duration) + Send + Sync + 'static,
{
    let _ = (name, limit, &callback);
    enabled!({
        unsafe extern "C" fn late<F: Fn(&str, Duration, Duration)>(name: *const c_char, took: u64, limit: u64, ctx: *mut c_void) {
            let callback = std::panic::AssertUnwindSafe(&*(ctx as *const F));

            let _ = std::panic::catch_unwind(|| {
                callback(&CStr::from_ptr(name).to_string_lossy(), Duration::from_nanos(took), Duration::from_nanos(limit))
            });
        }
        let ns = nanoseconds(limit);
        let ctx = Box::into_raw(Box::new(callback)) as *mut c_void;
        status(with_c(name, |name| unsafe { ffi::rustscope_set_budget(name, ns, Some(late::<F>), ctx) }))
    } else Ok(()))
}

/// Stops measuring in all threads. Scopes that are open are still recorded when they end.
#[inline]
pub fn pause() {
    enabled!({ unsafe { ffi::rustscope_pause() } } else ())
}

/// Goes on measuring.
#[inline]
pub fn resume() {
    enabled!({ unsafe { ffi::rustscope_resume() } } else ())
}

/// A point on the session's timeline.
#[inline]
pub fn mark(name: &str) {
    let _ = name;
    enabled!({ with_c(name, |name| unsafe { ffi::rustscope_mark(name) }) } else ())
}

/// A value on the session's timeline.
#[inline]
pub fn counter(name: &str, value: f64) {
    let _ = (name, value);
    enabled!({ with_c(name, |name| unsafe { ffi::rustscope_counter(name, value) }) } else ())
}

/// Forgets what was measured; scopes that are open now are not recorded.
#[inline]
pub fn reset() {
    enabled!({ unsafe { ffi::rustscope_reset() } } else ())
}

/// Writes the session JSON; `%p` in the path stands for the process id. The file is replaced at once.
///
/// # Errors
/// When the file cannot be written, and without the feature `enabled`.
#[inline]
pub fn write_json(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    let _ = path;
    enabled!({ status(with_c(&path.to_string_lossy(), |path| unsafe { ffi::rustscope_write_json(path) })) } else unsupported())
}

/// What a thread has allocated so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    pub bytes: u64,
    pub blocks: u64,
}

/// What this thread has allocated so far: 0 when neither the shim nor a [`TrackingAllocator`](crate::TrackingAllocator)
/// counts.
#[inline]
pub fn allocated() -> Allocations {
    enabled!({
        let a = unsafe { ffi::rustscope_allocated() };
        Allocations { bytes: a.bytes, blocks: a.blocks }
    } else Allocations::default())
}

/// The figures of one function, all its call paths together, or of one call path. Times in ns.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Function {
    pub name: String,
    pub file: String,
    pub line: u32,
    /// Most calls of it open at once on one stack: 1 without recursion.
    pub max_depth: u32,
    /// Exact in every mode.
    pub calls: u64,
    /// Fewer than the calls where only some are timed.
    pub timed_calls: u64,
    /// Recursion counted once.
    pub total_ns: f64,
    /// The total less what scopes inside took.
    pub self_ns: f64,
    pub min_ns: f64,
    pub mean_ns: f64,
    pub stddev_ns: f64,
    pub max_ns: f64,
    /// Percentiles are right to 1.6 %.
    pub p50_ns: f64,
    pub p95_ns: f64,
    pub p99_ns: f64,
    /// Allocated inside, with the shim or a [`TrackingAllocator`](crate::TrackingAllocator).
    pub alloc_bytes: u64,
    pub outlier_count: u64,
    /// 0: none.
    pub budget_ns: u64,
    pub budget_violations: u64,
}

#[cfg(feature = "enabled")]
impl Function {
    unsafe fn from(f: &ffi::Function) -> Function {
        Function {
            name: text(f.name),
            file: text(f.file),
            line: f.line,
            max_depth: f.max_depth,
            calls: f.calls,
            timed_calls: f.timed_calls,
            total_ns: f.total_ns,
            self_ns: f.self_ns,
            min_ns: f.min_ns,
            mean_ns: f.mean_ns,
            stddev_ns: f.stddev_ns,
            max_ns: f.max_ns,
            p50_ns: f.p50_ns,
            p95_ns: f.p95_ns,
            p99_ns: f.p99_ns,
            alloc_bytes: f.alloc_bytes,
            outlier_count: f.outlier_count,
            budget_ns: f.budget_ns,
            budget_violations: f.budget_violations,
        }
    }
}

/// The figures up to the moment it was taken; other threads go on meanwhile.
pub struct Snapshot {
    #[cfg(feature = "enabled")]
    snapshot: NonNull<ffi::Snapshot>,
}

#[cfg(feature = "enabled")]
unsafe impl Send for Snapshot {}

impl Snapshot {
    /// `None` when there is no memory, and without the feature `enabled`.
    ///
    /// ```
    /// {
    ///     rustscope::profile_scope!("work");
    /// }
    /// if let Some(snapshot) = rustscope::Snapshot::take() {
    ///     for f in snapshot.functions() {
    ///         println!("{}: {} calls, p99 {:.0} ns", f.name, f.calls, f.p99_ns);
    ///     }
    ///     assert_eq!(snapshot.function("work").unwrap().calls, 1);
    /// }
    /// ```
    #[inline]
    pub fn take() -> Option<Snapshot> {
        enabled!({
            NonNull::new(unsafe { ffi::rustscope_collect() }).map(|snapshot| Snapshot { snapshot })
        } else None)
    }

    /// All functions, the largest self time first.
    #[inline]
    pub fn functions(&self) -> Vec<Function> {
        enabled!({
            unsafe extern "C" fn add(f: *const ffi::Function, ctx: *mut c_void) {
                (*(ctx as *mut Vec<Function>)).push(Function::from(&*f));
            }
            let mut all: Vec<Function> = Vec::new();
            unsafe { ffi::rustscope_foreach_function(self.snapshot.as_ptr(), add, &mut all as *mut _ as *mut c_void) };
            all
        } else Vec::new())
    }

    /// All call paths, depth first, each with its distance from the root.
    #[inline]
    pub fn paths(&self) -> Vec<(u32, Function)> {
        enabled!({
            unsafe extern "C" fn add(f: *const ffi::Function, depth: c_uint, ctx: *mut c_void) {
                (*(ctx as *mut Vec<(u32, Function)>)).push((depth, Function::from(&*f)));
            }
            let mut all: Vec<(u32, Function)> = Vec::new();
            unsafe { ffi::rustscope_foreach_path(self.snapshot.as_ptr(), add, &mut all as *mut _ as *mut c_void) };
            all
        } else Vec::new())
    }

    /// The function of that name.
    #[inline]
    pub fn function(&self, name: &str) -> Option<Function> {
        self.functions().into_iter().find(|f| f.name == name)
    }
}

#[cfg(feature = "enabled")]
impl Drop for Snapshot {
    fn drop(&mut self) {
        unsafe { ffi::rustscope_snapshot_free(self.snapshot.as_ptr()) }
    }
}

/// How the figures were taken. Nothing is subtracted from them unless the mode is precise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Info {
    /// `tsc`, `cntvct` or `clock_gettime`.
    pub clock: String,
    /// `default`, `precise`, `sampled`, `count` or `off`.
    pub mode: String,
    /// The smallest step of the clock.
    pub resolution_ns: f64,
    /// What one scope costs its surroundings, measured in this process.
    pub overhead_ns: f64,
    /// What an empty scope reports.
    pub inside_ns: f64,
    /// Subtracted from each precise time.
    pub precise_offset_ns: f64,
    /// Scopes that could not be recorded.
    pub skipped: u64,
    /// Call paths merged into shorter ones.
    pub folded_paths: u64,
    /// Thread states in use: the most that ever lived at once.
    pub threads: u64,
}

/// The clock, the mode and what they cost. `None` without the feature `enabled`.
#[inline]
pub fn info() -> Option<Info> {
    enabled!({
        let mut i: ffi::Info = unsafe { std::mem::zeroed() };

        i.size = std::mem::size_of::<ffi::Info>();
        if unsafe { ffi::rustscope_get_info(&mut i) } != 0 {
            return None;
        }
        Some(Info {
            clock: unsafe { text(i.clock) },
            mode: unsafe { text(i.mode) },
            resolution_ns: i.resolution_ns,
            overhead_ns: i.overhead_ns,
            inside_ns: i.inside_ns,
            precise_offset_ns: i.precise_offset_ns,
            skipped: i.skipped,
            folded_paths: i.folded_paths,
            threads: i.threads,
        })
    } else None)
}

/// What [`assert_perf`] can hold a place to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Metric {
    Calls,
    Total,
    SelfTime,
    Min,
    Mean,
    Stddev,
    P50,
    P95,
    P99,
    Max,
    AllocBytes,
    Outliers,
    MaxDepth,
}

/// A bound: a [`Duration`], or a number (of ns, bytes or calls).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit(pub f64);

impl From<Duration> for Limit {
    #[inline]
    fn from(time: Duration) -> Limit {
        Limit(time.as_nanos() as f64)
    }
}

impl From<f64> for Limit {
    #[inline]
    fn from(number: f64) -> Limit {
        Limit(number)
    }
}

impl From<i32> for Limit {
    #[inline]
    fn from(number: i32) -> Limit {
        Limit(number.into())
    }
}

/// Is the metric of the function called `name` at most `limit`?
///
/// # Errors
/// A sentence with the measured value when it is not, or when nothing of that name has run. Without the feature `enabled`
/// nothing is measured and everything is within its limit.
#[inline]
pub fn assert_perf(name: &str, metric: Metric, limit: impl Into<Limit>) -> Result<(), String> {
    let limit = limit.into();
    let _ = (name, metric, limit);
    enabled!({
        match with_c(name, |name| unsafe { ffi::rustscope_assert_perf(name, metric as c_uint, limit.0) }) {
            0 => Ok(()),
            _ => Err(unsafe { text(ffi::rustscope_why()) }),
        }
    } else Ok(()))
}

/// What [`timeline_write`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum TimelineFormat {
    /// One JSON object, for chrome://tracing and Perfetto.
    Chrome,
    /// One JSON object a line.
    Ndjson,
}

/// Also keeps begin and end of each timed call, the last `max_events` of all threads together; 0 stops.
///
/// # Errors
/// Without memory, and without the feature `enabled`.
#[inline]
pub fn timeline_enable(max_events: usize) -> io::Result<()> {
    let _ = max_events;
    enabled!({ status(unsafe { ffi::rustscope_timeline_enable(max_events) }) } else unsupported())
}

/// Writes the events in the order of their begin; returns how many were overwritten before.
///
/// # Errors
/// When the file cannot be written, and without the feature `enabled`.
#[inline]
pub fn timeline_write(path: impl AsRef<Path>, format: TimelineFormat) -> io::Result<u64> {
    let path = path.as_ref();
    let _ = (path, format);
    enabled!({
        let mut dropped = 0;
        status(with_c(&path.to_string_lossy(), |path| unsafe {
            ffi::rustscope_timeline_write(path, format as c_uint, &mut dropped)
        }))?;
        Ok(dropped)
    } else unsupported())
}
