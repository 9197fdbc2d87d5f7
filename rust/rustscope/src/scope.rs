//! Scopes: two calls into the library, which keeps all state in the frame it is given and in the thread.

use crate::ffi;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::raw::c_char;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// RUSTSCOPE_STATE_OFF
const OFF: u32 = 1;

/// One place in the source: static, filled by the macros. Strings end with a zero byte.
#[repr(transparent)]
pub struct Site(UnsafeCell<ffi::Site>);

// What is written is `id` alone, atomically; the texts are static.
unsafe impl Send for Site {}
unsafe impl Sync for Site {}

impl Site {
    pub const fn new(name: &'static str, file: &'static str, line: u32, flags: u32) -> Site {
        Site(UnsafeCell::new(ffi::Site {
            name: name.as_ptr() as *const c_char,
            function: ptr::null(),
            file: file.as_ptr() as *const c_char,
            line,
            mode: 0,
            flags,
            id: 0,
        }))
    }

    #[inline(always)]
    pub(crate) fn as_ptr(&'static self) -> *mut ffi::Site {
        self.0.get()
    }

    #[inline(always)]
    fn id(&self) -> &AtomicU32 {
        unsafe { &*(ptr::addr_of!((*self.0.get()).id) as *const AtomicU32) }
    }

    /// The site, named by the path of the function that contains MARKER: `module::Type::method`, as its symbol is.
    #[inline(always)]
    pub fn inside<F>(&'static self, _marker: &F) -> &'static Site {
        if self.id().load(Ordering::Relaxed) == 0 {
            self.register_as(std::any::type_name::<F>());
        }
        self
    }

    /// Allocates nothing: what is measured would show it.
    #[cold]
    fn register_as(&'static self, marker: &str) {
        let mut path = marker.strip_suffix("::__rustscope_here").unwrap_or(marker);
        let mut name = [0u8; 1024];
        let mut used = 0;

        while let Some(outside) = path.strip_suffix("::{{closure}}") {
            path = outside; // of an async function
        }
        for part in path.split("r#") {
            let part = &part.as_bytes()[..part.len().min(name.len() - 1 - used)];
            name[used..used + part.len()].copy_from_slice(part);
            used += part.len();
        }
        let (file, line, flags) = unsafe { ((*self.0.get()).file, (*self.0.get()).line, (*self.0.get()).flags) };
        let name = name.as_ptr() as *const c_char;
        let mut named = ffi::Site { name, function: ptr::null(), file, line, mode: 0, flags, id: 0 };
        self.id().store(unsafe { ffi::rustscope_register_site(&mut named) }, Ordering::Relaxed);
    }
}

/// Room for a scope on the stack of the function that it measures. The library finds scopes that were left without an
/// end by where their frames lie, so a scope is entered in place and never moves.
pub struct Scope(MaybeUninit<ffi::Frame>);

/// An open scope: ends when it is dropped, by a panic too. Stays in its thread.
pub struct Open<'a>(&'a mut Scope, PhantomData<*mut ()>);

impl Scope {
    #[inline(always)]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Scope {
        Scope(MaybeUninit::uninit())
    }

    #[inline(always)]
    pub fn enter(&mut self, site: &'static Site) -> Open<'_> {
        self.enter_if(true, site)
    }

    #[inline(always)]
    pub fn enter_if(&mut self, wanted: bool, site: &'static Site) -> Open<'_> {
        /* The library looks too; here it saves the call where measuring is off. */
        if wanted && unsafe { ffi::rustscope_state_v1.load(Ordering::Relaxed) } & OFF == 0 {
            unsafe { ffi::rustscope_enter(self.0.as_mut_ptr(), site.as_ptr()) };
        } else {
            unsafe { ptr::addr_of_mut!((*self.0.as_mut_ptr()).node).write(ptr::null_mut()) };
        }
        Open(self, PhantomData)
    }
}

impl Drop for Open<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let frame = self.0 .0.as_mut_ptr();

        // Either way in has set `node`.
        if unsafe { !(*frame).node.is_null() } {
            unsafe { ffi::rustscope_leave(frame) }
        }
    }
}
