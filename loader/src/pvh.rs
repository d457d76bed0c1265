//! What the VMM tells a guest that it boots by PVH: `struct hvm_start_info`, in Xen's
//! `public/arch-x86/hvm/start_info.h`.

use core::ops::Range;

const MAGIC: u32 = 0x336e_c578;
/// More memory map entries than any VMM makes.
const MAX_MEMORY_ENTRIES: u32 = 128;

#[repr(C)]
struct RawStartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    nr_modules: u32,
    modlist_paddr: u64,
    cmdline_paddr: u64,
    rsdp_paddr: u64,
    memmap_paddr: u64,
    memmap_entries: u32,
    reserved: u32,
}

#[repr(C)]
struct RawModule {
    paddr: u64,
    size: u64,
    cmdline_paddr: u64,
    reserved: u64,
}

/// One range of the VMM's memory map.
#[repr(C)]
pub struct MemoryEntry {
    /// First physical address.
    pub addr: u64,
    /// Length in bytes.
    pub size: u64,
    /// The kind, numbered as in E820: 1 is RAM.
    pub kind: u32,
    reserved: u32,
}

/// The start-info structure, checked.
pub struct StartInfo {
    /// The VMM's memory map.
    pub memory: &'static [MemoryEntry],
    /// Physical range of the only module.
    pub module: Option<Range<u64>>,
    /// The command line, without its terminator.
    pub command_line: &'static [u8],
    /// Physical address of the ACPI root pointer, or 0.
    pub rsdp: u64,
}

impl StartInfo {
    /// Reads the structure at physical address `at`.
    pub fn read(at: u64) -> Result<StartInfo, &'static str> {
        // SAFETY: PVH leaves the address of the structure in `ebx`, below 4 GiB and so inside the
        // identity map; the magic number is looked at before anything else is believed.
        let raw = unsafe { &*(at as *const RawStartInfo) };
        if raw.magic != MAGIC {
            return Err("not entered by PVH: start it with -kernel");
        }
        if raw.version < 1 || raw.memmap_paddr == 0 || raw.memmap_entries == 0 {
            return Err("the VMM gave no memory map");
        }
        let entries = raw.memmap_entries.min(MAX_MEMORY_ENTRIES) as usize;
        // SAFETY: version 1 of the structure promises that many entries there.
        let memory =
            unsafe { core::slice::from_raw_parts(raw.memmap_paddr as *const MemoryEntry, entries) };
        let module = (raw.nr_modules != 0).then(|| {
            // SAFETY: the VMM says that the list has at least one entry.
            let first = unsafe { &*(raw.modlist_paddr as *const RawModule) };
            first.paddr..first.paddr + first.size
        });
        let command_line = if raw.cmdline_paddr == 0 {
            &[]
        } else {
            // SAFETY: the command line is a C string in memory that the VMM filled.
            unsafe { core::ffi::CStr::from_ptr(raw.cmdline_paddr as *const _) }.to_bytes()
        };
        Ok(StartInfo { memory, module, command_line, rsdp: raw.rsdp_paddr })
    }
}
