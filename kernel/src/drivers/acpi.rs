//! The ACPI tables that the kernel uses: MADT (CPUs and interrupt controllers), FADT with the `\_S5`
//! package of the DSDT (power), HPET, SRAT and SLIT (NUMA nodes; `kernel/libs/numa` parses them). Read once at boot, copied out,
//! before there is a heap; a damaged table counts as missing.

use arrayvec::ArrayVec;
use numa::Topology;

use crate::{
    arch::{boot, cpu::MAX_CPUS},
    mm::{self, PhysAddr},
    params,
    sync::Once,
};

const HEADER: usize = 36;
/// No table is larger than this; one that says so is damaged.
const MAX_TABLE: usize = 4 << 20;

/// An I/O APIC.
pub struct IoApic {
    /// Its registers.
    pub address: PhysAddr,
    /// The global number of its first line.
    pub first_line: u32,
}

/// An ISA line that is wired differently.
pub struct Override {
    /// The line as PCs number it.
    pub isa_line: u8,
    /// The line as I/O APICs number it.
    pub global_line: u32,
    /// Level-triggered instead of edge-triggered.
    pub level: bool,
    /// Active low instead of high.
    pub active_low: bool,
}

/// The multiple APIC description table.
#[derive(Default)]
pub struct Madt {
    /// APIC ids of the CPUs that can be started.
    pub cpus: ArrayVec<u32, MAX_CPUS>,
    /// The I/O APICs.
    pub io_apics: ArrayVec<IoApic, 8>,
    /// ISA lines that are wired differently.
    pub overrides: ArrayVec<Override, 16>,
}

/// What turns the machine off and resets it.
#[derive(Clone, Copy, Default)]
pub struct Power {
    /// Control ports of power management, 0 where there is none.
    pub pm1_control: [u16; 2],
    /// Values for the sleep type that is "off", for each of them.
    pub off_type: Option<[u8; 2]>,
    /// The reset register, if it is a port: number and value.
    pub reset_port: Option<(u16, u8)>,
}

static MADT: Once<Madt> = Once::new();
static POWER: Once<Power> = Once::new();
static HPET: Once<Option<PhysAddr>> = Once::new();
static TOPOLOGY: Once<Topology> = Once::new();

/// The MADT; empty without ACPI.
pub fn madt() -> &'static Madt {
    MADT.call_once(Madt::default)
}

/// The power registers; empty without ACPI.
pub fn power() -> Power {
    *POWER.call_once(Power::default)
}

/// The HPET's registers.
pub fn hpet() -> Option<PhysAddr> {
    *HPET.call_once(|| None)
}

/// The NUMA nodes; one without ACPI, and with `numa=off`.
pub fn topology() -> &'static Topology {
    TOPOLOGY.call_once(Topology::single)
}

/// Finds and reads the tables. Once, before anything asks for them.
pub fn init() {
    let Some(root) = boot::info().rsdp.and_then(root_table) else {
        crate::pr_warn!("acpi: no tables; one CPU, no power-off");
        return;
    };
    let (mut srat, mut slit) = (None, None);
    for address in root {
        let Some(table) = table(address) else { continue };
        match &table[..4] {
            b"APIC" => {
                MADT.call_once(|| parse_madt(table));
            }
            b"FACP" => {
                POWER.call_once(|| parse_fadt(table));
            }
            b"HPET" => {
                HPET.call_once(|| u64_at(table, 44).map(|address| PhysAddr(address as usize)));
            }
            b"SRAT" => srat = Some(table),
            b"SLIT" => slit = Some(table),
            _ => {}
        }
    }
    if let Some(srat) = srat.filter(|_| !params::get().numa_off) {
        TOPOLOGY.call_once(|| parse_topology(srat, slit));
    }
}

/// The nodes; a table that makes no sense is said to be left out.
fn parse_topology(srat: &[u8], slit: Option<&[u8]>) -> Topology {
    let mut topology = match Topology::from_srat(srat) {
        Ok(topology) => topology,
        Err(error) => {
            crate::pr_warn!("acpi: SRAT not used: {error}");
            return Topology::single();
        }
    };
    if let Some(slit) = slit
        && let Err(error) = topology.set_distances(slit)
    {
        crate::pr_warn!("acpi: SLIT not used: {error}");
    }
    topology
}

fn bytes_at(table: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    table.get(at..at.checked_add(len)?)
}

fn u8_at(table: &[u8], at: usize) -> Option<u8> {
    table.get(at).copied()
}

fn u16_at(table: &[u8], at: usize) -> Option<u16> {
    bytes_at(table, at, 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(table: &[u8], at: usize) -> Option<u32> {
    bytes_at(table, at, 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(table: &[u8], at: usize) -> Option<u64> {
    bytes_at(table, at, 8)?.try_into().ok().map(u64::from_le_bytes)
}

/// `len` bytes of physical memory that firmware filled.
fn physical(address: usize, len: usize) -> Option<&'static [u8]> {
    let start = PhysAddr(address).to_virt();
    if !mm::is_mapped(start.0) || !mm::is_mapped(start.0.checked_add(len)?) {
        return None;
    }
    // SAFETY: the direct map shows the range; it holds firmware's tables, which nobody writes any
    // more.
    Some(unsafe { core::slice::from_raw_parts(start.as_mut_ptr(), len) })
}

fn checksum_is_good(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

/// A whole table, if its length and checksum are good.
fn table(address: usize) -> Option<&'static [u8]> {
    let len = u32_at(physical(address, HEADER)?, 4)? as usize;
    let table = (HEADER..=MAX_TABLE).contains(&len).then(|| physical(address, len))??;
    checksum_is_good(table).then_some(table)
}

/// The addresses in the root table (XSDT, else RSDT).
fn root_table(rsdp: PhysAddr) -> Option<impl Iterator<Item = usize>> {
    let pointer = physical(rsdp.0, 20)?;
    if !pointer.starts_with(b"RSD PTR ") || !checksum_is_good(pointer) {
        return None;
    }
    let xsdt = (u8_at(pointer, 15)? >= 2)
        .then(|| u64_at(physical(rsdp.0, 36)?, 24))
        .flatten()
        .filter(|&address| address != 0);
    let (root, width) = match xsdt {
        Some(address) => (table(address as usize)?, 8),
        None => (table(u32_at(pointer, 16)? as usize)?, 4),
    };
    Some(root[HEADER..].chunks_exact(width).map(move |entry| {
        let mut address = [0; 8];
        address[..width].copy_from_slice(entry);
        u64::from_le_bytes(address) as usize
    }))
}

fn parse_madt(table: &[u8]) -> Madt {
    let mut madt = Madt::default();
    let mut at = HEADER + 8;
    while let (Some(kind), Some(len @ 2..)) = (u8_at(table, at), u8_at(table, at + 1)) {
        let Some(entry) = bytes_at(table, at, usize::from(len)) else { break };
        // An entry that is too short, or one too many for its list, is left out: that CPU or line
        // stays unused.
        let _ = madt.add(kind, entry);
        at += usize::from(len);
    }
    madt
}

impl Madt {
    /// Takes one entry in; `None` if it is too short or its list is full.
    fn add(&mut self, kind: u8, entry: &[u8]) -> Option<()> {
        const LOCAL_APIC: u8 = 0;
        const IO_APIC: u8 = 1;
        const OVERRIDE: u8 = 2;
        const LOCAL_X2APIC: u8 = 9;
        match kind {
            LOCAL_APIC => self.add_cpu(u32::from(u8_at(entry, 3)?), u32_at(entry, 4)?),
            LOCAL_X2APIC => self.add_cpu(u32_at(entry, 4)?, u32_at(entry, 8)?),
            IO_APIC => {
                let address = PhysAddr(u32_at(entry, 4)? as usize);
                let first_line = u32_at(entry, 8)?;
                self.io_apics.try_push(IoApic { address, first_line }).ok()
            }
            OVERRIDE => {
                let flags = u16_at(entry, 8)?;
                let entry = Override {
                    isa_line: u8_at(entry, 3)?,
                    global_line: u32_at(entry, 4)?,
                    level: flags >> 2 & 3 == 3,
                    active_low: flags & 3 == 3,
                };
                self.overrides.try_push(entry).ok()
            }
            _ => Some(()),
        }
    }

    fn add_cpu(&mut self, id: u32, flags: u32) -> Option<()> {
        const ENABLED: u32 = 1;
        if flags & ENABLED == 0 || self.cpus.contains(&id) {
            return Some(());
        }
        self.cpus.try_push(id).ok()
    }
}

fn parse_fadt(fadt: &[u8]) -> Power {
    const RESET_SUPPORTED: u32 = 1 << 10;
    const PORT_SPACE: u8 = 1;
    let port = |at| u32_at(fadt, at).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let has_reset = u32_at(fadt, 112).unwrap_or(0) & RESET_SUPPORTED != 0;
    let reset_port = (has_reset && u8_at(fadt, 116) == Some(PORT_SPACE))
        .then(|| Some((u16::try_from(u64_at(fadt, 120)?).ok()?, u8_at(fadt, 128)?)))
        .flatten();
    let dsdt = u64_at(fadt, 140)
        .filter(|&address| address != 0)
        .or_else(|| u32_at(fadt, 40).map(u64::from))
        .and_then(|address| table(address as usize));
    Power { pm1_control: [port(64), port(68)], off_type: dsdt.and_then(find_s5), reset_port }
}

/// The sleep types in the DSDT's `\_S5` package. Its form is fixed enough to find without
/// interpreting the byte code: the name, a package of at least two small integers.
fn find_s5(dsdt: &[u8]) -> Option<[u8; 2]> {
    const PACKAGE: u8 = 0x12;
    const BYTE: u8 = 0x0a;
    let name = dsdt.windows(4).position(|window| window == b"_S5_")?;
    let mut at = name + 4;
    if u8_at(dsdt, at)? != PACKAGE {
        return None;
    }
    // The package's length takes one to four bytes, as its top two bits say; then the count.
    at += 1;
    at += usize::from(u8_at(dsdt, at)? >> 6) + 1;
    at += 1;
    let mut integer = || {
        let op = u8_at(dsdt, at)?;
        at += 1;
        match op {
            0 | 1 => Some(op),
            BYTE => {
                at += 1;
                u8_at(dsdt, at - 1)
            }
            _ => None,
        }
    };
    Some([integer()?, integer()?])
}
