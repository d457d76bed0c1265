//! Caches: classes for objects of one layout.

use super::class::MAX_SIZE;
use core::alloc::Layout;

/// A class of its own for objects of one layout (Bonwick's object caches): they lie as close as their size allows, among their own kind, and are counted
/// by a name.
///
/// All requests of the layout go there, whoever makes them. So that nobody makes them by chance, small objects with a cache ask for an
/// alignment of 16 (`#[repr(align(16))]` at the type). Objects whose size is a multiple of 8 lose 8 bytes by it or none, and what else the kernel allocates is aligned to
/// 8 or less, or to more.
#[derive(Clone, Copy)]
pub struct Cache {
    pub(super) name: &'static str,
    pub(super) layout: Layout,
}

impl Cache {
    /// Of objects of this layout.
    pub const fn new(name: &'static str, layout: Layout) -> Cache {
        assert!(
            layout.align() > align_of::<usize>() || layout.size() > MAX_SIZE,
            "others ask for this layout: align the type to 16"
        );
        Cache { name, layout }
    }

    /// Of values in an `Arc`.
    pub const fn of_arcs<T>(name: &'static str) -> Cache {
        Cache::new(name, arc_layout::<T>())
    }

    /// Of vectors with room for `len` values.
    pub const fn of_vecs<T>(name: &'static str, len: usize) -> Cache {
        match Layout::array::<T>(len) {
            Ok(layout) => Cache::new(name, layout),
            Err(_) => panic!("no vector is that long"),
        }
    }

    /// The layout of its objects.
    pub const fn layout(&self) -> Layout {
        self.layout
    }
}

/// What `Arc<T>` allocates: two counts and the value.
pub const fn arc_layout<T>() -> Layout {
    Layout::new::<(usize, usize, T)>()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::{
        alloc::{GlobalAlloc, System},
        cell::Cell,
        hint::black_box,
        sync::Arc,
    };

    /// Notes what this thread allocated last.
    struct Noting;

    thread_local! {
        static LAST: Cell<Option<Layout>> = const { Cell::new(None) };
    }

    // SAFETY: passes everything on to the system's allocator.
    unsafe impl GlobalAlloc for Noting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let _ = LAST.try_with(|last| last.set(Some(layout)));
            // SAFETY: the caller's promise.
            unsafe { System.alloc(layout) }
        }
        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: the caller's promise.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    #[global_allocator]
    static NOTING: Noting = Noting;

    #[repr(align(16))]
    struct Aligned<const N: usize>([u8; N]);
    #[repr(align(64))]
    struct Strict(#[expect(dead_code, reason = "only room")] [u8; 70]);

    fn check<T>(value: T) {
        let arc = black_box(Arc::new(value));
        assert_eq!(LAST.get(), Some(arc_layout::<T>()));
        drop(arc);
    }

    #[test]
    fn layouts_of_arcs_are_as_the_library_has_them() {
        check(1u8);
        check([0u64; 17]);
        check(Aligned([0; 1]));
        check(Aligned([0; 100]));
        check(Strict([0; 70]));
    }
}
