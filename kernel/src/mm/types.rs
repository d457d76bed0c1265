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

        impl $name {
            /// The address rounded down to its page.
            pub const fn page_base(self) -> Self {
                Self(self.0 & !(PAGE_SIZE - 1))
            }
            /// The offset in its page.
            pub const fn page_offset(self) -> usize {
                self.0 & (PAGE_SIZE - 1)
            }
        }
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

impl UserAddr {
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
