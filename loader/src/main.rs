//! The direct-boot loader: what a VMM starts with `-kernel`, and what starts NOS.
//!
//! A VMM (QEMU, Firecracker, Cloud Hypervisor) enters it by the PVH note: 32-bit protected mode, no
//! paging, a start-info structure in `ebx`. The one module is a row of `newc` cpio archives. The
//! first holds `boot/nos`, the kernel's ELF file; the others are the root file system and are
//! handed on as they lie. The loader maps the kernel, answers its Limine requests and jumps to it,
//! so that the kernel knows a single boot protocol.
//!
//! It runs on one CPU with interrupts off and takes no locks. It starts no other CPU: the kernel
//! does that itself on every boot path. What it cannot do it says on the first serial port, and
//! stops.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(target_os = "none", no_main)]
#![cfg_attr(not(target_os = "none"), expect(dead_code, reason = "only the bare machine runs it"))]

mod console;
mod cpio;
mod elf;
mod entry;
mod limine;
mod memory;
mod paging;
mod pvh;

use console::die;
use memory::{EntryKind, MemoryMap};

/// The kernel's path in the first archive.
const KERNEL_PATH: &str = "boot/nos";

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("the loader runs on the bare machine: see docs/boot.md");
}

/// The file where its structures can be read in place: on a page of its own, if the archive's
/// padding has not put it at a good address already.
fn aligned(file: &'static [u8], memory: &mut MemoryMap) -> &'static [u8] {
    if (file.as_ptr() as usize).is_multiple_of(align_of::<u64>()) {
        return file;
    }
    let len = file.len() as u64;
    let copy = memory.allocate(len, memory::PAGE, EntryKind::ExecutableAndModules);
    // SAFETY: the memory was just allocated, as long as the file, and is nobody else's.
    unsafe {
        core::ptr::copy_nonoverlapping(file.as_ptr(), copy as *mut u8, file.len());
        memory::bytes(copy..copy + len)
    }
}

/// The loader's work in order. `start_info` is the physical address that the VMM left in `ebx`.
extern "C" fn load(start_info: u64) -> ! {
    let boot = match pvh::StartInfo::read(start_info) {
        Ok(boot) => boot,
        Err(why) => die(why),
    };
    let mut memory = MemoryMap::from_pvh(boot.memory);
    memory.reserve(entry::image(), EntryKind::BootloaderReclaimable);
    let Some(module) = boot.module.clone() else {
        die("no module: give the boot archive with -initrd");
    };
    memory.reserve(module.clone(), EntryKind::ExecutableAndModules);

    // SAFETY: the VMM loaded the module there, it is inside the identity map, and the memory map
    // now keeps the allocator away from it.
    let archive = unsafe { memory::bytes(module.clone()) };
    let (kernel_file, rest) = match cpio::find(archive, KERNEL_PATH) {
        Ok(found) => found,
        Err(why) => die(why),
    };
    let kernel_file = aligned(kernel_file, &mut memory);
    let kernel = match elf::load(kernel_file, &mut memory) {
        Ok(kernel) => kernel,
        Err(why) => die(why),
    };
    let root = module.start + rest as u64..module.end;
    let hand_over = limine::answer(&kernel, kernel_file, root, &boot, &mut memory);
    let tables = paging::build(&kernel, &mut memory);
    // The tables took the last memory; only now is the map what the kernel may rely on.
    hand_over.publish_memory_map(&memory);
    entry::enter_kernel(tables, hand_over.entry, hand_over.stack_top)
}
