//! Counted page frames: what user memory and page caches are made of.
//!
//! A frame is counted by every [`Frame`] and by every page-table entry that maps it; the last one to go frees it.

use super::{
    PAGE_SIZE, PhysAddr, UserAddr,
    node::{self, FreeBatch},
    page::{Page, PageKind, known_page, page},
    reclaim,
};
use crate::arch::{copy, uaccess};
use abi::{Errno, Result};
use core::{
    mem::ManuallyDrop,
    num::NonZeroU32,
    sync::atomic::{Ordering, fence},
};

/// A counted reference to one page frame. Clone counts up; the last drop frees.
#[repr(transparent)]
pub struct Frame(NonZeroU32);

impl Frame {
    /// A zeroed frame for `kind`, one of those that are counted by references. Fails with `ENOMEM` when free memory is below the reserve that
    /// kernel allocations may use, after reclaim was tried.
    #[inline(always)]
    pub fn alloc_zeroed(kind: PageKind) -> Result<Frame> {
        Frame::adopt_new(reclaim::obtain(node::alloc_zeroed_page)?, kind)
    }

    /// The same with unspecified content; the caller overwrites all of it.
    #[inline(always)]
    pub fn alloc_uninit(kind: PageKind) -> Result<Frame> {
        Frame::adopt_new(reclaim::obtain(node::alloc_page)?, kind)
    }

    #[inline(always)]
    fn adopt_new(number: u32, kind: PageKind) -> Result<Frame> {
        let page = page(number);
        page.use_as(kind);
        page.start_counts();
        // Frame 0 is never handed out: the first MiB is not the allocator's.
        NonZeroU32::new(number).map(Frame).ok_or(Errno::ENOMEM)
    }

    /// A handle on memory that is never freed: pages of the initramfs, used in place.
    pub fn from_reserved(addr: PhysAddr) -> Frame {
        let number = NonZeroU32::new(addr.frame_number()).unwrap_or(NonZeroU32::MIN);
        let page = page(number.get());
        debug_assert!(page.is(PageKind::Reserved));
        // The first takes one more, which is never given up: so the last reference is never dropped, and `drop` need not ask.
        if page.references().fetch_add(1, Ordering::Relaxed) == 0 {
            page.references().fetch_add(1, Ordering::Relaxed);
        }
        Frame(number)
    }

    /// What is known of it.
    #[inline]
    pub(super) fn page(&self) -> &'static Page {
        // SAFETY: new frames' entries were looked up (`adopt_new`, `from_reserved`, huge pages); what comes from page-table entries and words was a frame
        // before (`from_counted`, `from_word`).
        unsafe { known_page(self.0.get()) }
    }

    /// Takes over the reference that a page-table entry held.
    ///
    /// # Safety
    /// The caller owns one reference to the frame at `addr`, and gives it up.
    #[inline]
    pub(super) unsafe fn from_counted(addr: PhysAddr) -> Frame {
        debug_assert!(page(addr.frame_number()).references().load(Ordering::Relaxed) > 0);
        // SAFETY: frames with references have numbers above 0.
        Frame(unsafe { NonZeroU32::new_unchecked(addr.frame_number()) })
    }

    /// Gives the reference to a page-table entry: to be taken back with [`Frame::from_counted`].
    #[inline]
    pub(super) fn into_counted(self) -> PhysAddr {
        let addr = self.addr();
        core::mem::forget(self);
        addr
    }

    /// Whether it is memory that is never freed (see [`Frame::from_reserved`]), which is not part of the total.
    pub fn is_reserved(&self) -> bool {
        self.page().is(PageKind::Reserved)
    }

    /// Gives the reference up. If it was the last, the page goes back with others.
    #[inline(always)]
    pub(super) fn drop_into(self, batch: &mut FreeBatch) {
        let frame = ManuallyDrop::new(self);
        let page = frame.page();
        if frame.was_last(page) {
            batch.add_page(frame.0.get(), page);
        }
    }

    /// Takes this reference off the count, once; whether it was the last.
    #[inline(always)]
    fn was_last(&self, page: &Page) -> bool {
        let references = page.references();
        // With one reference left, ours, nobody else can count up: no atomic operation is needed.
        if references.load(Ordering::Acquire) == 1 {
            references.store(0, Ordering::Relaxed);
        } else if references.fetch_sub(1, Ordering::Release) != 1 {
            return false;
        } else {
            fence(Ordering::Acquire);
        }
        debug_assert!(page.is_unlocked(), "a locked entry was not counted");
        true
    }

    /// Marks a page of a file as set aside: it counts as a hole until somebody writes or maps it.
    pub fn set_aside(&self) {
        self.page().change_use(PageKind::Shmem, PageKind::SetAside);
    }

    /// Whether it is set aside.
    #[inline]
    pub fn is_set_aside(&self) -> bool {
        self.page().is(PageKind::SetAside)
    }

    /// Another reference, unless it is set aside.
    #[inline]
    pub(super) fn clone_used(&self) -> Option<Frame> {
        let page = page(self.0.get());
        (!page.is(PageKind::SetAside)).then(|| {
            page.references().fetch_add(1, Ordering::Relaxed);
            Frame(self.0)
        })
    }

    /// It is used from now on.
    #[inline]
    pub fn put_to_use(&self) {
        if self.is_set_aside() {
            self.page().change_use(PageKind::SetAside, PageKind::Shmem);
        }
    }

    /// Its physical address.
    #[inline]
    pub fn addr(&self) -> PhysAddr {
        PhysAddr::of_frame(self.0.get())
    }

    /// How many references there are.
    #[inline]
    pub fn ref_count(&self) -> usize {
        self.page().references().load(Ordering::Acquire) as usize
    }

    /// Where the kernel sees its bytes.
    #[inline]
    fn pointer(&self) -> *mut u8 {
        self.addr().to_virt().as_mut_ptr()
    }

    /// The bytes from `offset` on, `len` of them; panics when they are not all in the page.
    #[inline]
    fn part(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
        self.pointer().wrapping_add(offset)
    }

    /// Copies out of the page; `offset + dst.len()` is at most a page.
    #[inline]
    pub fn read(&self, offset: usize, dst: &mut [u8]) {
        let part = self.part(offset, dst.len());
        // SAFETY: the bytes are in the page, which our reference keeps; `dst` is kernel memory, never a counted frame. User
        // programs may write the page meanwhile: any mixture of old and new bytes is a right answer.
        unsafe { core::ptr::copy_nonoverlapping(part, dst.as_mut_ptr(), dst.len()) };
    }

    /// Copies into the page.
    #[inline]
    pub fn write(&self, offset: usize, src: &[u8]) {
        let part = self.part(offset, src.len());
        // SAFETY: as in `read`.
        unsafe { core::ptr::copy_nonoverlapping(src.as_ptr(), part, src.len()) };
    }

    /// Copies the whole page from another.
    pub fn copy_page_from(&self, source: &Frame) {
        if self.0 != source.0 {
            // SAFETY: two pages that our references keep; otherwise as in `read`.
            unsafe { copy::copy_page(self.pointer(), source.pointer()) };
        }
    }

    /// Copies part of another page (or of this one) into this one.
    pub fn copy_from_frame(&self, offset: usize, source: &Frame, at: usize, len: usize) {
        let (to, from) = (self.part(offset, len), source.part(at, len));
        // SAFETY: both parts are in pages that our references keep; `copy` allows them to overlap. Otherwise as in `read`.
        unsafe { core::ptr::copy(from, to, len) };
    }

    /// Zeroes part of the page.
    pub fn zero(&self, offset: usize, len: usize) {
        let part = self.part(offset, len);
        // SAFETY: as in `read`.
        unsafe { part.write_bytes(0, len) };
    }

    /// Copies from user memory into the page; how many bytes were copied before a fault.
    #[inline]
    pub fn copy_from_user(&self, offset: usize, src: UserAddr, len: usize) -> usize {
        let part = self.part(offset, len);
        // SAFETY: as in `read`; the slice is only used by the copy routine, which is assembly.
        let part = unsafe { core::slice::from_raw_parts_mut(part, len) };
        len - uaccess::raw_copy_from_user(part, src.0)
    }

    /// Copies to user memory; how many bytes were copied before a fault.
    #[inline]
    pub fn copy_to_user(&self, offset: usize, dst: UserAddr, len: usize) -> usize {
        let part = self.part(offset, len);
        // SAFETY: as in `copy_from_user`.
        let part = unsafe { core::slice::from_raw_parts(part, len) };
        len - uaccess::raw_copy_to_user(dst.0, part)
    }
}

// SAFETY: the word is the frame's number; making it and taking it back leaves the count alone. Counts are atomic, so a copy may be
// cloned from any thread.
unsafe impl rcu_collections::Word for Frame {
    fn into_word(self) -> core::num::NonZeroUsize {
        let number = core::num::NonZeroUsize::MIN.saturating_add(self.0.get() as usize - 1);
        core::mem::forget(self);
        number
    }
    unsafe fn from_word(word: core::num::NonZeroUsize) -> Frame {
        // SAFETY: only numbers that `into_word` widened come here (caller).
        Frame(unsafe { NonZeroU32::new_unchecked(word.get() as u32) })
    }
}

impl Clone for Frame {
    #[inline]
    fn clone(&self) -> Frame {
        self.page().references().fetch_add(1, Ordering::Relaxed);
        Frame(self.0)
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        let page = self.page();
        if self.was_last(page) {
            give_back(self.0.get(), page);
        }
    }
}

/// The last reference is gone. A call, so that what most references' ends are is inlined everywhere: one count less.
#[inline(never)]
fn give_back(frame: u32, page: &Page) {
    node::free_known_page(frame, page);
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({:#x})", self.addr().0)
    }
}
