//! The allocator that counts.

#![cfg(feature = "enabled")]

use rustscope::{allocated, profile_scope, Snapshot, TrackingAllocator};
use std::cell::RefCell;

#[global_allocator]
static ALLOCATOR: TrackingAllocator = TrackingAllocator::system();

#[test]
fn bytes_are_counted_by_thread_and_by_scope() {
    let before = allocated();
    {
        profile_scope!("allocates");
        drop(rustscope::black_box(Vec::<u8>::with_capacity(10_000)));
        drop(rustscope::black_box(vec![0u8; 5_000]));
    }
    std::thread::spawn(|| drop(rustscope::black_box(vec![1u8; 1 << 20]))).join().unwrap();
    let after = allocated();
    assert_eq!(Snapshot::take().unwrap().function("allocates").unwrap().alloc_bytes, 15_000);
    assert!(after.bytes - before.bytes >= 15_000 && after.blocks - before.blocks >= 2);
    assert!(after.bytes - before.bytes < 1 << 20, "another thread's block");
}

#[test]
fn a_block_that_grows_counts_its_new_size() {
    let mut block: Vec<u8> = Vec::with_capacity(1000);
    let before = allocated();
    block.reserve_exact(3000);
    let after = allocated();
    assert_eq!((after.bytes - before.bytes, after.blocks - before.blocks), (3000, 1));
}

/// Allocates, in a scope, while its thread's destructors run.
struct Late(Vec<u8>);

impl Drop for Late {
    fn drop(&mut self) {
        profile_scope!("in a destructor");
        self.0 = rustscope::black_box(vec![1; 300]);
    }
}

thread_local! {
    static LATE: RefCell<Option<Late>> = RefCell::new(None);
}

#[test]
fn destructors_of_threads_may_allocate() {
    for _ in 0..50 {
        std::thread::spawn(|| LATE.with(|late| *late.borrow_mut() = Some(Late(vec![0; 100])))).join().unwrap();
    }
    let f = Snapshot::take().unwrap().function("in a destructor").unwrap();
    assert_eq!((f.calls, f.alloc_bytes), (50, 50 * 300));
}
