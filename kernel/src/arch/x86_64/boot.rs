//! What the boot loader tells the kernel, through the Limine boot protocol (base revision 2).
//!
//! Everything is copied out once, early on the first CPU, into [`BootInfo`]; from then on nothing
//! that the loader owns is used, and its memory is free.

use crate::{mm::PhysAddr, sync::Once};
use arrayvec::ArrayVec;
use core::ops::Range;
use limine::{
    BaseRevision,
    memory_map::EntryType,
    paging::Mode,
    request::{
        DateAtBootRequest, ExecutableAddressRequest, ExecutableCmdlineRequest,
        ExecutableFileRequest, HhdmRequest, MemoryMapRequest, ModuleRequest, PagingModeRequest,
        RequestsEndMarker, RequestsStartMarker, RsdpRequest,
    },
};

#[used]
#[unsafe(link_section = ".limine_requests_start")]
static START: RequestsStartMarker = RequestsStartMarker::new();
#[used]
#[unsafe(link_section = ".limine_requests_end")]
static END: RequestsEndMarker = RequestsEndMarker::new();

#[used]
#[unsafe(link_section = ".limine_requests")]
static BASE_REVISION: BaseRevision = BaseRevision::with_revision(2);
#[used]
#[unsafe(link_section = ".limine_requests")]
static HHDM: HhdmRequest = HhdmRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static MEMORY_MAP: MemoryMapRequest = MemoryMapRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static ADDRESS: ExecutableAddressRequest = ExecutableAddressRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static FILE: ExecutableFileRequest = ExecutableFileRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static COMMAND_LINE: ExecutableCmdlineRequest = ExecutableCmdlineRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static MODULES: ModuleRequest = ModuleRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static RSDP: RsdpRequest = RsdpRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static DATE: DateAtBootRequest = DateAtBootRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static PAGING: PagingModeRequest = PagingModeRequest::new()
    .with_mode(Mode::FOUR_LEVEL)
    .with_max_mode(Mode::FOUR_LEVEL)
    .with_min_mode(Mode::FOUR_LEVEL);

/// Longest command line kept, as on Linux (`COMMAND_LINE_SIZE`).
const COMMAND_LINE_MAX: usize = 2048;
/// Most ranges of the memory map kept.
pub const MAX_REGIONS: usize = 256;

/// What a range of physical addresses holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegionKind {
    /// Memory for the kernel to hand out.
    Usable,
    /// The same once the loader's page tables and stack are out of use.
    Loader,
    /// The kernel's image, its file and the modules.
    KernelAndModules,
    /// ACPI tables, and memory that firmware keeps; readable.
    Firmware,
    /// No memory, or broken.
    Reserved,
}

/// A range of the memory map, in whole pages.
#[derive(Clone, Debug)]
pub struct Region {
    /// Physical addresses.
    pub range: Range<usize>,
    /// What is there.
    pub kind: RegionKind,
}

/// What the kernel knows from its loader.
pub struct BootInfo {
    /// The memory map in ascending order.
    pub regions: ArrayVec<Region, MAX_REGIONS>,
    /// Physical address of the image's first byte.
    pub image: PhysAddr,
    /// The kernel's ELF file, for its symbols.
    pub kernel_file: Range<usize>,
    /// The initramfs: the root archives, one after the other.
    pub initramfs: Range<usize>,
    /// The ACPI root pointer.
    pub rsdp: Option<PhysAddr>,
    /// Seconds since 1970, if the loader knew.
    pub date: Option<u64>,
    command_line: ArrayVec<u8, COMMAND_LINE_MAX>,
}

static INFO: Once<BootInfo> = Once::new();

/// The facts. Panics before [`init`].
pub fn info() -> &'static BootInfo {
    INFO.get().expect("boot::init runs first")
}

/// The initramfs and where it lies: memory that nobody else uses and that is never handed out. Good once
/// the kernel's own page tables are in use.
pub fn initramfs() -> (&'static [u8], PhysAddr) {
    let range = info().initramfs.clone();
    let start = PhysAddr(range.start);
    // SAFETY: the loader left the module there, the direct map shows it, and the allocator was told to
    // keep off. It is written by nobody: whoever uses its pages in place writes only through their frames, when the archive has been read for the last time.
    let bytes = unsafe { core::slice::from_raw_parts(start.to_virt().as_mut_ptr(), range.len()) };
    (bytes, start)
}

impl BootInfo {
    /// The kernel command line; bytes that are no UTF-8 cut it short.
    pub fn command_line(&self) -> &str {
        match core::str::from_utf8(&self.command_line) {
            Ok(text) => text,
            Err(error) => {
                core::str::from_utf8(&self.command_line[..error.valid_up_to()]).unwrap_or("")
            }
        }
    }
}

/// Reads the responses. Runs once, first of all, on the loader's page tables.
pub fn init() {
    INFO.call_once(|| {
        assert!(BASE_REVISION.is_supported(), "the boot loader is too old");
        let direct_map = HHDM.get_response().expect("no direct map").offset() as usize;
        let to_phys = |pointer: usize| pointer.checked_sub(direct_map).unwrap_or(pointer);
        let file = FILE.get_response().expect("no kernel file").file();
        let kernel_file = to_phys(file.addr() as usize);
        let initramfs = MODULES
            .get_response()
            .and_then(|response| response.modules().first())
            .map(|module| {
                let start = to_phys(module.addr() as usize);
                start..start + module.size() as usize
            })
            .unwrap_or(0..0);
        let mut command_line = ArrayVec::new();
        // Limine 8.2 does not know the request: there it is a property of the kernel's file.
        let given = COMMAND_LINE.get_response().map_or(file.string(), |r| r.cmdline()).to_bytes();
        // What does not fit is cut off, as Linux does.
        command_line.extend(given.iter().copied().take(COMMAND_LINE_MAX));
        BootInfo {
            regions: regions(),
            image: PhysAddr(
                ADDRESS.get_response().expect("no load address").physical_base() as usize
            ),
            kernel_file: kernel_file..kernel_file + file.size() as usize,
            initramfs,
            rsdp: RSDP.get_response().map(|r| PhysAddr(to_phys(r.address()))),
            date: DATE.get_response().map(|r| r.timestamp().as_secs()),
            command_line,
        }
    });
}

fn regions() -> ArrayVec<Region, MAX_REGIONS> {
    let mut regions: ArrayVec<Region, MAX_REGIONS> = ArrayVec::new();
    let map = MEMORY_MAP.get_response().expect("no memory map");
    for entry in map.entries() {
        let kind = match entry.entry_type {
            EntryType::USABLE => RegionKind::Usable,
            EntryType::BOOTLOADER_RECLAIMABLE => RegionKind::Loader,
            EntryType::EXECUTABLE_AND_MODULES => RegionKind::KernelAndModules,
            EntryType::ACPI_RECLAIMABLE | EntryType::ACPI_NVS => RegionKind::Firmware,
            _ => RegionKind::Reserved,
        };
        let range = entry.base as usize..(entry.base + entry.length) as usize;
        match regions.last_mut() {
            Some(last) if last.kind == kind && last.range.end == range.start => {
                last.range.end = range.end;
            }
            _ => {
                // A map with more ranges than this loses its last ones: less memory, no harm.
                let _ = regions.try_push(Region { range, kind });
            }
        }
    }
    regions
}
