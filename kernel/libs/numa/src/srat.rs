//! SRAT: which CPU and which memory belongs to which proximity domain.

use super::{Error, MemoryRange, Topology, field, u32_at, u64_at};

/// Where the entries begin: behind the common header and twelve reserved bytes.
const ENTRIES: usize = 48;
/// The table's revision. Up to 1, a domain is a byte.
const REVISION: usize = 8;
const ENABLED: u32 = 1;

mod kind {
    pub const CPU: u8 = 0;
    pub const MEMORY: u8 = 1;
    pub const X2APIC_CPU: u8 = 2;
}

impl Topology {
    /// The nodes that a whole SRAT (header included, its checksum tested) tells of. Ranges for memory that may be plugged in later count too: what is
    /// there now is told by the memory map.
    pub fn from_srat(table: &[u8]) -> Result<Topology, Error> {
        let [revision] = field(table, REVISION)?;
        let mut topology = Topology::empty();
        each_entry(table, |kind, entry| topology.add_cpu(kind, entry, revision))?;
        each_entry(table, |kind, entry| topology.add_memory(kind, entry, revision))?;
        if topology.domains.is_empty() {
            return Err(Error::Empty);
        }
        topology.ranges.sort_unstable_by_key(|range| range.addresses.start);
        topology.join_ranges()?;
        topology.sort_nodes();
        Ok(topology)
    }

    fn add_cpu(&mut self, kind: u8, entry: &[u8], revision: u8) -> Result<(), Error> {
        let (id, flags, domain) = match kind {
            kind::CPU => {
                let [low, id] = field(entry, 2)?;
                let [a, b, c] = field(entry, 9)?;
                let high = if revision < 2 { [0; 3] } else { [a, b, c] };
                let domain = u32::from_le_bytes([low, high[0], high[1], high[2]]);
                (u32::from(id), u32_at(entry, 4)?, domain)
            }
            kind::X2APIC_CPU => (u32_at(entry, 8)?, u32_at(entry, 12)?, u32_at(entry, 4)?),
            _ => return Ok(()),
        };
        if flags & ENABLED != 0 {
            let node = self.node_of_domain(domain)?;
            // One too many is not remembered: it counts as the first node's. Of two that contradict the first counts.
            let _ = self.cpus.try_push((id, node));
        }
        Ok(())
    }

    fn add_memory(&mut self, kind: u8, entry: &[u8], revision: u8) -> Result<(), Error> {
        if kind != kind::MEMORY {
            return Ok(());
        }
        let domain = u32_at(entry, 2)? & if revision < 2 { 0xff } else { u32::MAX };
        let (base, length, flags) = (u64_at(entry, 8)?, u64_at(entry, 16)?, u32_at(entry, 28)?);
        if flags & ENABLED == 0 || length == 0 {
            return Ok(());
        }
        let end = base.checked_add(length).ok_or(Error::BadRange)?;
        let node = self.node_of_domain(domain)?;
        let range = MemoryRange { addresses: base..end, node };
        self.ranges.try_push(range).map_err(|_| Error::TooManyRanges)
    }

    /// Makes one range of those of a node that overlap. They are sorted.
    fn join_ranges(&mut self) -> Result<(), Error> {
        let mut at = 1;
        while at < self.ranges.len() {
            let (before, this) = (&self.ranges[at - 1], &self.ranges[at]);
            if before.addresses.end <= this.addresses.start {
                at += 1;
            } else if before.node == this.node {
                let end = before.addresses.end.max(this.addresses.end);
                self.ranges[at - 1].addresses.end = end;
                self.ranges.remove(at);
            } else {
                return Err(Error::Overlap);
            }
        }
        Ok(())
    }
}

/// Calls `f` with the kind and the bytes of each entry.
fn each_entry(
    table: &[u8],
    mut f: impl FnMut(u8, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut rest = table.get(ENTRIES..).ok_or(Error::Truncated)?;
    while !rest.is_empty() {
        let [kind, len] = field(rest, 0)?;
        let len = usize::from(len);
        if len < 2 || len > rest.len() {
            return Err(Error::Truncated);
        }
        let (entry, behind) = rest.split_at(len);
        f(kind, entry)?;
        rest = behind;
    }
    Ok(())
}
