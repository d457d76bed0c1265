//! Memory: physical frames, the kernel heap, address spaces, page faults, copies to and from user memory.
//!
//! | from below | |
//! |---|---|
//! | `page` | what is known of each frame |
//! | `node` | free memory: buddy allocators, per-CPU lists |
//! | `reclaim`, `reclaim_task`, `oom` | what is done when it runs short, and before |
//! | `huge`, `khugepaged` | huge pages: their settings, their blocks; who puts small ones together |
//! | `overcommit` | what was promised, and whether more may be |
//! | `frame`, `heap`, `kernel_stack` | counted frames, the kernel's heap, its stacks |
//! | `mlock` | frames that must stay |
//! | `mapped` | on which node the pages of files that are mapped lie |
//! | `kernel_map`, `boot` | the kernel's half of every address space, and how it all starts |
//! | `address_space`, `fault` | the user's half |
//! | `page_cache` | the pages of files and shared memory |
//! | `user` | copies to and from it |
//! | `vdso` | the pages of the vDSO |
//!
//! docs/memory.md tells how they work together and which locks they take.

mod address_space;
mod boot;
pub mod fault;
mod frame;
pub mod heap;
pub mod huge;
mod kernel_map;
mod kernel_stack;
pub mod khugepaged;
mod mapped;
mod mlock;
pub mod node;
pub mod oom;
pub mod overcommit;
mod page;
pub mod page_cache;
mod reclaim;
pub mod reclaim_task;
mod stats;
pub mod try_alloc;
pub mod types;
pub mod user;
pub mod vdso;

pub use address_space::{
    AddressSpace, Advice, Announced, BarrierKind, Copies, FrameNumbers, Layout, LockMode, MapKind,
    MapRequest, MappingWatcher, Mappings, MmapFlags, PageSource, Prot, References, RemapFlags,
    SharedWriting, VDSO_SIZE, activate_kernel, barrier_everywhere, current_space, max_map_count,
    set_max_map_count,
};
pub use boot::{RegionUse, choose_copy_routines, init_early, map_early};
pub use frame::Frame;
pub use kernel_map::{is_mapped, map_device, root as kernel_root};
pub use kernel_stack::{KernelStack, STACK_SIZE as KERNEL_STACK_SIZE};
pub use mapped::count_by_node;
pub use node::total as total_pages;
pub use overcommit::Commitment;
pub use page::PageKind;
pub use reclaim::{Shrinker, files_may_grow, register_shrinker};
pub use stats::{MemoryStats, MemoryUse, VmEvent};
pub use types::{PAGE_SIZE, PageIndex, PhysAddr, USER_END, UserAddr, VirtAddr};

/// A small piece of work that makes later requests cheaper, for a CPU that has nothing else to do; whether there may be more. The scheduler's
/// idle loop calls it, with interrupts on, until it says no or there is work.
pub fn idle_work() -> bool {
    // A CPU that idles has no tick to look.
    reclaim_task::look();
    kernel_stack::trim() || heap::collect_returned() || node::prezero()
}
