//! Address and page number types.

/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;

/// The first address that user space cannot have.
pub const USER_END: usize = 0x7fff_ffff_f000;

macro_rules! address {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub usize);

    )*};
}

address! {
    /// A physical address.
    PhysAddr;
    /// A kernel virtual address.
    VirtAddr;
    /// An address in user space, as user space gave it: not checked for anything.
    UserAddr;
}

impl PhysAddr {
    /// The address of the page frame with this number.
    #[inline]
    pub const fn of_frame(number: u32) -> PhysAddr {
        PhysAddr(number as usize * PAGE_SIZE)
    }
    /// The number of its page frame.
    #[inline]
    pub const fn frame_number(self) -> u32 {
        (self.0 / PAGE_SIZE) as u32
    }
    /// Where the direct map shows it: all memory and the low 4 GiB are there.
    #[inline]
    pub const fn to_virt(self) -> VirtAddr {
        VirtAddr(self.0 + crate::arch::paging::DIRECT_MAP_BASE)
    }
}

impl VirtAddr {
    /// The physical address behind an address in the direct map.
    #[inline]
    pub const fn to_phys(self) -> PhysAddr {
        PhysAddr(self.0 - crate::arch::paging::DIRECT_MAP_BASE)
    }
    /// As a pointer.
    #[inline]
    pub const fn as_mut_ptr<T>(self) -> *mut T {
        self.0 as *mut T
    }
}

impl UserAddr {
    /// The address rounded down to its page.
    pub const fn page_base(self) -> Self {
        Self(self.0 & !(PAGE_SIZE - 1))
    }
    /// The offset in its page.
    pub const fn page_offset(self) -> usize {
        self.0 & (PAGE_SIZE - 1)
    }
    /// Null means "not given" to many calls.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }
    /// This plus `n` bytes, wrapping: the copy functions refuse what is out of range.
    pub const fn add(self, n: usize) -> UserAddr {
        UserAddr(self.0.wrapping_add(n))
    }
}

/// The number of a page in a file or object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageIndex(pub u64);
