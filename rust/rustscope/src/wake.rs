//! Wakers that note when they were used, around those of the executor: what tells a future that waits for its turn from
//! one that waits for something to happen.
//!
//! A waker may outlive its future, so the note lies in a slot that both share. Slots are recycled and come in chunks that
//! are never given back: there are as many as futures were suspended at the same time, and in steady state nothing is
//! allocated. A future that never keeps its waker, since it is ready at once, takes none.

use crate::ffi;
use std::alloc::{handle_alloc_error, GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

struct Slot {
    references: AtomicU32,
    /// The next free one + 1; 0 ends the list.
    next: AtomicU32,
    number: u32,
    /// Ticks of the first wake since the last poll; 0: none.
    woken: AtomicU64,
    /// The executor's. Written before the slot is shared and after its last reference.
    inner: UnsafeCell<Option<Waker>>,
}

// ---- the pool ----

const FIRST_CHUNK: u32 = 64; // slots; each chunk has twice as many as the one before
const CHUNKS: usize = 25; // numbers have 32 bits

static CHUNK: [AtomicPtr<Slot>; CHUNKS] = {
    #[allow(clippy::declare_interior_mutable_const)]
    const NONE: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());
    [NONE; CHUNKS]
};

/// The first free slot + 1, and above it a number that changes with every change, so that a list that changed and came
/// back is not taken for the old one.
static FREE: AtomicU64 = AtomicU64::new(0);

fn slot(number: u32) -> *mut Slot {
    let from = number + FIRST_CHUNK;
    let chunk = from.leading_zeros() ^ 31; // of its highest bit
    let base = CHUNK[(chunk - FIRST_CHUNK.trailing_zeros()) as usize].load(Ordering::Acquire);

    unsafe { base.add((from - (1 << chunk)) as usize) }
}

fn take_free() -> Option<*mut Slot> {
    let mut free = FREE.load(Ordering::Acquire);

    loop {
        let first = free as u32;
        if first == 0 {
            return None;
        }
        let taken = slot(first - 1);
        // May be another's by now, whose `next` is then of no use: the number above has changed as well.
        let next = unsafe { (*taken).next.load(Ordering::Relaxed) };
        let changed = ((free >> 32).wrapping_add(1) << 32) | u64::from(next);
        match FREE.compare_exchange_weak(free, changed, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(taken),
            Err(now) => free = now,
        }
    }
}

fn give_back(given: *mut Slot) {
    let mut free = FREE.load(Ordering::Relaxed);

    loop {
        unsafe { (*given).next.store(free as u32, Ordering::Relaxed) };
        let first = unsafe { (*given).number } + 1;
        let changed = ((free >> 32).wrapping_add(1) << 32) | u64::from(first);
        match FREE.compare_exchange_weak(free, changed, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => free = now,
        }
    }
}

/// Of the system's allocator, past the program's own. Several threads at once may each find that a chunk is missing: one
/// of them has it.
#[cold]
fn grow() {
    for (i, place) in CHUNK.iter().enumerate() {
        if !place.load(Ordering::Acquire).is_null() {
            continue;
        }
        let count = FIRST_CHUNK << i;
        let layout = Layout::array::<Slot>(count as usize).unwrap();
        let chunk = unsafe { System.alloc(layout) } as *mut Slot;
        if chunk.is_null() {
            handle_alloc_error(layout);
        }
        for at in 0..count {
            unsafe {
                chunk.add(at as usize).write(Slot {
                    references: AtomicU32::new(0),
                    next: AtomicU32::new(0),
                    number: count - FIRST_CHUNK + at,
                    woken: AtomicU64::new(0),
                    inner: UnsafeCell::new(None),
                })
            };
        }
        if place.compare_exchange(ptr::null_mut(), chunk, Ordering::AcqRel, Ordering::Acquire).is_err() {
            unsafe { System.dealloc(chunk as *mut u8, layout) };
            return;
        }
        for at in 0..count {
            give_back(unsafe { chunk.add(at as usize) });
        }
        return;
    }
    panic!("more than two thousand million suspended futures");
}

/// With one reference.
fn new_slot(inner: Waker) -> *mut Slot {
    loop {
        if let Some(taken) = take_free() {
            unsafe {
                (*taken).woken.store(0, Ordering::Relaxed);
                *(*taken).inner.get() = Some(inner);
                (*taken).references.store(1, Ordering::Release);
            }
            return taken;
        }
        grow();
    }
}

// ---- wakers ----

/// The first wake since the last poll counts.
fn note(woken: &AtomicU64) {
    if woken.load(Ordering::Relaxed) == 0 {
        let now = unsafe { ffi::rustscope_task_clock() };
        let _ = woken.compare_exchange(0, now, Ordering::Release, Ordering::Relaxed);
    }
}

/// Of wakers that were cloned: DATA is the slot, of which each has a reference.
static SHARED: RawWakerVTable = RawWakerVTable::new(clone_shared, wake_shared, wake_shared_by_ref, drop_shared);

unsafe fn clone_shared(data: *const ()) -> RawWaker {
    (*(data as *const Slot)).references.fetch_add(1, Ordering::Relaxed);
    RawWaker::new(data, &SHARED)
}

unsafe fn wake_shared(data: *const ()) {
    wake_shared_by_ref(data);
    drop_shared(data);
}

unsafe fn wake_shared_by_ref(data: *const ()) {
    let slot = data as *const Slot;

    note(&(*slot).woken);
    if let Some(inner) = &*(*slot).inner.get() {
        inner.wake_by_ref();
    }
}

unsafe fn drop_shared(data: *const ()) {
    let slot = data as *mut Slot;

    if (*slot).references.fetch_sub(1, Ordering::AcqRel) == 1 {
        let inner = (*(*slot).inner.get()).take();
        give_back(slot);
        drop(inner); // runs the executor's code
    }
}

/// Of the waker that a first poll is given: DATA is the [`Lent`] on the stack. Whoever wants to keep it clones it, and only
/// then a slot is needed.
static LENT: RawWakerVTable = RawWakerVTable::new(clone_lent, wake_lent_by_ref, wake_lent_by_ref, |_| ());

struct Lent<'a> {
    inner: &'a Waker,
    wakes: &'a Wakes,
}

unsafe fn clone_lent(data: *const ()) -> RawWaker {
    let lent = &*(data as *const Lent<'_>);
    let mut slot = lent.wakes.slot.load(Ordering::Acquire);

    if slot.is_null() {
        let made = new_slot(lent.inner.clone());

        match lent.wakes.slot.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => slot = made,
            Err(others) => {
                drop_shared(made as *const ());
                slot = others;
            }
        }
    }
    clone_shared(slot as *const ())
}

unsafe fn wake_lent_by_ref(data: *const ()) {
    let lent = &*(data as *const Lent<'_>);

    note(&lent.wakes.woken);
    lent.inner.wake_by_ref();
}

// ---- what a future has ----

/// A future's part of its wakers.
pub struct Wakes {
    /// Null: no waker of ours is kept. Filled during a poll, by whatever thread clones the waker first.
    slot: AtomicPtr<Slot>,
    /// By a waker that was lent, during the last poll: ticks, 0: not.
    woken: AtomicU64,
}

impl Wakes {
    #[inline(always)]
    pub const fn new() -> Wakes {
        Wakes { slot: AtomicPtr::new(ptr::null_mut()), woken: AtomicU64::new(0) }
    }

    /// When the future was woken first since its last poll, in ticks; 0: not that we know.
    #[inline(always)]
    pub fn take(&mut self) -> u64 {
        let lent = *self.woken.get_mut();
        let slot = *self.slot.get_mut();

        if lent != 0 {
            *self.woken.get_mut() = 0;
        }
        if slot.is_null() || unsafe { (*slot).woken.load(Ordering::Relaxed) } == 0 {
            return lent;
        }
        match unsafe { (*slot).woken.swap(0, Ordering::Acquire) } {
            kept if lent != 0 && lent < kept => lent,
            kept => kept,
        }
    }

    /// Polls with a context whose waker notes when it is used, and wakes what CONTEXT's wakes.
    #[inline(always)]
    pub fn poll<R>(&mut self, context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let inner = context.waker();
        let slot = *self.slot.get_mut();
        let lent;
        let raw = if !slot.is_null() && self.belongs_to(inner) {
            RawWaker::new(slot as *const (), &SHARED)
        } else {
            lent = Lent { inner, wakes: &*self };
            RawWaker::new(&lent as *const Lent<'_> as *const (), &LENT)
        };
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw) });

        poll(&mut Context::from_waker(&waker))
    }

    /// True when the slot's waker wakes the same as WAKER; else the slot is left to whoever still has wakers of it.
    fn belongs_to(&mut self, waker: &Waker) -> bool {
        // Nobody writes to `inner` once the slot is shared.
        let inner = unsafe { &*(**self.slot.get_mut()).inner.get() };

        if inner.as_ref().map_or(false, |inner| inner.will_wake(waker)) {
            return true;
        }
        self.let_go();
        false
    }

    /// Keeps nothing of the executor's any more: a waker that is kept inside of its own task keeps that alive.
    #[inline]
    pub fn let_go(&mut self) {
        let slot = std::mem::replace(self.slot.get_mut(), ptr::null_mut());

        if !slot.is_null() {
            unsafe { drop_shared(slot as *const ()) };
        }
    }
}

impl Drop for Wakes {
    #[inline]
    fn drop(&mut self) {
        self.let_go();
    }
}
