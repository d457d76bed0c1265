//! Memory: physical frames, the kernel heap, address spaces, page faults, copies to and from user memory.

mod address_space;
pub mod fault;
mod frame;
mod kernel_stack;
mod types;
pub mod user;

pub use address_space::{
    AddressSpace, Layout, MapKind, MapRequest, MmapFlags, PageSource, Prot, activate_kernel,
};
pub use frame::{Frame, MemoryStats};
pub use kernel_stack::{KernelStack, STACK_SIZE as KERNEL_STACK_SIZE};
pub use types::{PAGE_SIZE, PageIndex, PhysAddr, USER_END, UserAddr, VirtAddr};
