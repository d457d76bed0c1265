//! The answers to the kernel's requests, as the Limine boot protocol lays them out (base revision
//! 2). Requests that are not known here stay unanswered, as the protocol allows.

use core::ops::Range;

use crate::{
    elf::Kernel,
    memory::{Entry, EntryKind, MemoryMap, PAGE},
    paging::HHDM,
    pvh::StartInfo,
};

const BASE_REVISION_ID: [u64; 2] = [0xf956_2b2d_5c95_a6c8, 0x6a7b_3849_4453_6bdc];
const SUPPORTED_BASE_REVISION: u64 = 2;
const REQUEST_ID: [u64; 2] = [0xc7b1_dd30_df4c_8b88, 0x0a82_e883_a194_f07b];

const BOOTLOADER_INFO: [u64; 2] = [0xf550_38d8_e2a1_202f, 0x2794_26fc_f5f5_9740];
const STACK_SIZE: [u64; 2] = [0x224e_f046_0a8e_8926, 0xe1cb_0fc2_5f46_ea3d];
const HHDM_OFFSET: [u64; 2] = [0x48dc_f1cb_8ad2_b852, 0x6398_4e95_9a98_244b];
const PAGING_MODE: [u64; 2] = [0x95c1_a0ed_ab09_44cb, 0xa4e5_cb38_42f7_488a];
const MEMORY_MAP: [u64; 2] = [0x67cf_3d9d_378a_806f, 0xe304_acdf_c50c_3c62];
const ENTRY_POINT: [u64; 2] = [0x13d8_6c03_5a1c_d3e1, 0x2b0c_aa89_d8f3_026a];
const EXECUTABLE_FILE: [u64; 2] = [0xad97_e90e_83f1_ed67, 0x31eb_5d1c_5ff2_3b69];
const MODULES: [u64; 2] = [0x3e7e_2797_02be_32af, 0xca1c_4f3b_d128_0cee];
const RSDP: [u64; 2] = [0xc5e7_7b6b_397e_7b43, 0x2763_7845_accd_cf3c];
const EXECUTABLE_ADDRESS: [u64; 2] = [0x71ba_7686_3cc5_5f63, 0xb264_4a48_c516_a487];
const EXECUTABLE_COMMAND_LINE: [u64; 2] = [0x4b16_1536_e598_651e, 0xb390_ad4a_2f1f_303a];

/// Stack for the kernel's start, where it asks for none.
const DEFAULT_STACK: u64 = 64 << 10;
const ARENA: u64 = 64 << 10;

#[repr(C)]
struct Request {
    id: [u64; 4],
    revision: u64,
    response: u64,
    argument: u64,
}

/// `struct limine_file`, of which a VMM's module fills the first half.
#[repr(C)]
struct File {
    revision: u64,
    address: u64,
    size: u64,
    path: u64,
    string: u64,
    media_and_network: [u32; 6],
    uuids: [u64; 6],
}

/// What is left to do once the requests are answered.
pub struct HandOver {
    /// The address to jump to.
    pub entry: u64,
    /// The initial stack pointer.
    pub stack_top: u64,
    memory_map: Option<u64>,
}

/// Memory for the responses, handed out front to back.
struct Arena {
    next: u64,
    end: u64,
}

impl Arena {
    /// Stores `value` and returns the address that the kernel will know it by.
    fn put<T>(&mut self, value: T) -> u64 {
        self.put_all(core::iter::once(value))
    }

    fn put_all<T>(&mut self, values: impl IntoIterator<Item = T>) -> u64 {
        let start = self.next.next_multiple_of(align_of::<T>().max(8) as u64);
        self.next = start;
        for value in values {
            if self.next + size_of::<T>() as u64 > self.end {
                crate::console::die("too much to tell the kernel");
            }
            // SAFETY: the slot is aligned and inside the arena, which belongs to this structure.
            unsafe { (self.next as *mut T).write(value) };
            self.next += size_of::<T>() as u64;
        }
        HHDM + start
    }

    fn put_c_string(&mut self, text: &[u8]) -> u64 {
        self.put_all(text.iter().copied().chain([0]))
    }
}

/// Answers the requests in the loaded image. `root` is the physical range of the root archives.
pub fn answer(
    kernel: &Kernel,
    kernel_file: &[u8],
    root: Range<u64>,
    boot: &StartInfo,
    memory: &mut MemoryMap,
) -> HandOver {
    let base = memory.allocate(ARENA, PAGE, EntryKind::BootloaderReclaimable);
    let mut arena = Arena { next: base, end: base + ARENA };
    let command_line = arena.put_c_string(boot.command_line);
    let mut stack_size = DEFAULT_STACK;
    let mut hand_over = HandOver { entry: kernel.entry, stack_top: 0, memory_map: None };

    for_each_request(kernel, |request| {
        let name = [request.id[2], request.id[3]];
        request.response = match name {
            BOOTLOADER_INFO => {
                let name = arena.put_c_string(b"NOS loader");
                let version = arena.put_c_string(env!("CARGO_PKG_VERSION").as_bytes());
                arena.put([0, name, version])
            }
            STACK_SIZE => {
                stack_size = stack_size.max(request.argument.next_multiple_of(PAGE));
                arena.put([0u64])
            }
            HHDM_OFFSET => arena.put([0, HHDM]),
            // Four levels, whatever was asked for: the kernel looks at the answer.
            PAGING_MODE => arena.put([0u64, 0]),
            MEMORY_MAP => {
                // Filled in when the last page has been taken; see `publish_memory_map`.
                let response = arena.put([0u64, 0, 0]);
                hand_over.memory_map = Some(response - HHDM);
                response
            }
            ENTRY_POINT => {
                hand_over.entry = request.argument;
                arena.put([0u64])
            }
            EXECUTABLE_FILE => {
                let path = arena.put_c_string(b"/boot/nos");
                let file = arena.put(File {
                    revision: 0,
                    address: HHDM + kernel_file.as_ptr() as u64,
                    size: kernel_file.len() as u64,
                    path,
                    string: command_line,
                    media_and_network: [0; 6],
                    uuids: [0; 6],
                });
                arena.put([0, file])
            }
            MODULES => {
                let path = arena.put_c_string(b"/boot/root.cpio");
                let string = arena.put_c_string(b"");
                let file = arena.put(File {
                    revision: 0,
                    address: HHDM + root.start,
                    size: root.end - root.start,
                    path,
                    string,
                    media_and_network: [0; 6],
                    uuids: [0; 6],
                });
                let list = arena.put([file]);
                arena.put([0, u64::from(!root.is_empty()), list])
            }
            RSDP if boot.rsdp != 0 => arena.put([0, HHDM + boot.rsdp]),
            EXECUTABLE_ADDRESS => arena.put([0, kernel.phys_base, kernel.virt_base]),
            EXECUTABLE_COMMAND_LINE => arena.put([0, command_line]),
            _ => 0,
        };
    });
    // The map itself needs room in the arena, so it is reserved here and filled later.
    if let Some(response) = hand_over.memory_map {
        let capacity = 256;
        let none = Entry { base: 0, length: 0, kind: EntryKind::Reserved };
        let entries = arena.put_all((0..capacity).map(|_| none));
        let first = entries;
        let pointers =
            arena.put_all((0..capacity).map(|index| first + index * size_of::<Entry>() as u64));
        // SAFETY: the response is three words in the arena.
        unsafe { *(response as *mut [u64; 3]) = [0, 0, pointers] };
    }
    let stack = memory.allocate(stack_size, PAGE, EntryKind::BootloaderReclaimable);
    hand_over.stack_top = HHDM + stack + stack_size;
    hand_over
}

impl HandOver {
    /// Writes the final memory map where the kernel will find it.
    pub fn publish_memory_map(&self, memory: &MemoryMap) {
        let Some(response) = self.memory_map else { return };
        // SAFETY: `answer` laid out the response, the pointer list and the entries in its arena,
        // with room for as many entries as a map can have.
        unsafe {
            let response = response as *mut [u64; 3];
            let pointers = ((*response)[2] - HHDM) as *const u64;
            for (index, entry) in memory.entries().iter().enumerate() {
                let slot = (*pointers.add(index) - HHDM) as *mut Entry;
                slot.write(*entry);
            }
            (*response)[1] = memory.entries().len() as u64;
        }
    }
}

/// Calls `answer` for each request in the image's writable segments, and accepts the base revision.
fn for_each_request(kernel: &Kernel, mut answer: impl FnMut(&mut Request)) {
    for segment in kernel.segments.iter().filter(|segment| segment.write) {
        let words = segment.length as usize / 8;
        let start = segment.phys as *mut u64;
        for index in 0..words.saturating_sub(size_of::<Request>() / 8) {
            // SAFETY: `index` leaves room for a whole request inside the segment, which is in
            // memory that only the loader uses now; requests are aligned to eight bytes.
            unsafe {
                let at = start.add(index);
                let id = [*at, *at.add(1)];
                if id == BASE_REVISION_ID {
                    // The revision that is used goes into the second word, 0 into the third if the
                    // wanted one is supported.
                    let wanted = *at.add(2);
                    *at.add(1) = wanted.min(SUPPORTED_BASE_REVISION);
                    if wanted <= SUPPORTED_BASE_REVISION {
                        *at.add(2) = 0;
                    }
                } else if id == REQUEST_ID {
                    answer(&mut *at.cast::<Request>());
                }
            }
        }
    }
}
