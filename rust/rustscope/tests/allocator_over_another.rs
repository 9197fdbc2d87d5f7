//! The allocator that counts, around one that is not the system's.

#![cfg(feature = "enabled")]

use rustscope::{allocated, TrackingAllocator};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts its own blocks, and fills them so that one can tell.
struct Pool {
    blocks: AtomicU64,
}

unsafe impl GlobalAlloc for Pool {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = System.alloc(layout);

        self.blocks.fetch_add(1, Ordering::Relaxed);
        if !block.is_null() {
            block.write_bytes(0x5a, layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        System.dealloc(block, layout)
    }
}

static POOL: Pool = Pool { blocks: AtomicU64::new(0) };

/// A static that is reached through the allocator, as arenas are.
struct ThroughPool;

unsafe impl GlobalAlloc for ThroughPool {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        POOL.alloc(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        POOL.dealloc(block, layout)
    }
}

#[global_allocator]
static ALLOCATOR: TrackingAllocator<ThroughPool> = TrackingAllocator::new(ThroughPool);

#[test]
fn blocks_come_from_the_inner_allocator_and_count_once() {
    let (before, pool_before) = (allocated(), POOL.blocks.load(Ordering::Relaxed));
    let blocks: Vec<Vec<u8>> = (0..100).map(|_| rustscope::black_box(Vec::with_capacity(1000))).collect();
    let after = allocated();

    assert_eq!(after.blocks - before.blocks, 101);
    assert_eq!(after.bytes - before.bytes, 100 * 1000 + 100 * std::mem::size_of::<Vec<u8>>() as u64);
    /* Other threads of the test runner may allocate meanwhile. */
    assert!(POOL.blocks.load(Ordering::Relaxed) - pool_before >= 101);
    assert!(blocks.iter().all(|b| unsafe { *b.as_ptr() } == 0x5a));
    assert!(vec![0u8; 4096].iter().all(|&b| b == 0), "zeroed memory is zero all the same");
}
