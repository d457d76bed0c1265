//! Which CPUs and which memory lie near each other (NUMA nodes), from ACPI's tables: SRAT (ACPI 6.5, 5.2.16) for what is on
//! which node, SLIT (5.2.17) for the distances.
//!
//! Firmware numbers proximity domains as it likes. Nodes are numbered from 0 in the order in which the table first names their domains, CPUs before memory,
//! as Linux does. Tables are not trusted: one that contradicts itself is refused as a whole, with the reason.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod slit;
mod srat;
#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;
use core::{fmt, ops::Range};

/// The most nodes there can be.
pub const MAX_NODES: usize = 16;
/// CPUs whose node is remembered.
const MAX_CPUS: usize = 256;
/// Ranges of memory.
const MAX_RANGES: usize = 64;

/// The distance of a node from itself.
pub const LOCAL_DISTANCE: u8 = 10;
/// The distance of two nodes when nothing is known.
const REMOTE_DISTANCE: u8 = 20;

/// Why a table is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// It ends in the middle of something.
    Truncated,
    /// It names nothing.
    Empty,
    /// More than [`MAX_NODES`] proximity domains.
    TooManyNodes,
    /// More ranges of memory than there is room for.
    TooManyRanges,
    /// A range goes beyond the end of the address space.
    BadRange,
    /// Memory that two nodes claim.
    Overlap,
    /// A node that is not 10 from itself, or that is not farther from another.
    BadDistance,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "it is cut off",
            Error::Empty => "it is empty",
            Error::TooManyNodes => "too many proximity domains",
            Error::TooManyRanges => "too many ranges of memory",
            Error::BadRange => "a range that is none",
            Error::Overlap => "memory that is on two nodes",
            Error::BadDistance => "distances that cannot be",
        })
    }
}

/// Memory of one node.
#[derive(Clone, PartialEq, Eq, Debug)]
struct MemoryRange {
    addresses: Range<u64>,
    node: u8,
}

/// The nodes of a machine.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The proximity domain of each node.
    domains: ArrayVec<u32, MAX_NODES>,
    /// APIC id and node.
    cpus: ArrayVec<(u32, u8), MAX_CPUS>,
    /// Sorted by address; none overlap.
    ranges: ArrayVec<MemoryRange, MAX_RANGES>,
    distances: [[u8; MAX_NODES]; MAX_NODES],
    /// For each node all nodes, as [`Topology::by_distance`] tells them.
    order: [[u8; MAX_NODES]; MAX_NODES],
}

impl Default for Topology {
    fn default() -> Self {
        Self::single()
    }
}

impl Topology {
    /// A machine that is one node.
    pub fn single() -> Topology {
        let mut topology = Self::empty();
        topology.domains.push(0);
        topology.sort_nodes();
        topology
    }

    fn empty() -> Topology {
        let mut distances = [[REMOTE_DISTANCE; MAX_NODES]; MAX_NODES];
        for (node, row) in distances.iter_mut().enumerate() {
            row[node] = LOCAL_DISTANCE;
        }
        let (domains, cpus, ranges) = (ArrayVec::new(), ArrayVec::new(), ArrayVec::new());
        Topology { domains, cpus, ranges, distances, order: [[0; MAX_NODES]; MAX_NODES] }
    }

    /// How many nodes there are, at least one.
    pub fn node_count(&self) -> usize {
        self.domains.len()
    }

    /// The node of the CPU with this APIC id; 0 if no table named it.
    pub fn node_of_cpu(&self, apic_id: u32) -> usize {
        self.cpus.iter().find(|(id, _)| *id == apic_id).map_or(0, |(_, node)| usize::from(*node))
    }

    /// How far memory of `to` is from CPUs of `from`: [`LOCAL_DISTANCE`] is near.
    pub fn distance(&self, from: usize, to: usize) -> u8 {
        self.distances[from][to]
    }

    /// All nodes, the nearest to `node` first, which is itself. Of equally near ones those with the next numbers come first, so that not all turn to
    /// the same.
    pub fn by_distance(&self, node: usize) -> impl Iterator<Item = usize> {
        self.order[node][..self.node_count()].iter().map(|&node| usize::from(node))
    }

    fn sort_nodes(&mut self) {
        let count = self.node_count();
        for (node, order) in self.order[..count].iter_mut().enumerate() {
            let order = &mut order[..count];
            for (step, entry) in order.iter_mut().enumerate() {
                *entry = ((node + step) % count) as u8;
            }
            let distances = &self.distances[node];
            order.sort_unstable_by_key(|&other| {
                (distances[usize::from(other)], (usize::from(other) + count - node) % count)
            });
        }
    }

    /// Cuts a range of addresses where its node changes. What no table named is node 0's.
    pub fn split(&self, addresses: Range<u64>) -> impl Iterator<Item = (Range<u64>, usize)> {
        let mut start = addresses.start;
        core::iter::from_fn(move || {
            if start >= addresses.end {
                return None;
            }
            let next = self.ranges.iter().find(|range| range.addresses.end > start);
            let (end, node) = match next {
                Some(range) if range.addresses.start <= start => (range.addresses.end, range.node),
                Some(range) => (range.addresses.start, 0),
                None => (addresses.end, 0),
            };
            let piece = start..end.min(addresses.end);
            start = piece.end;
            Some((piece, usize::from(node)))
        })
    }

    /// The node of a proximity domain, which gets one if it has none.
    fn node_of_domain(&mut self, domain: u32) -> Result<u8, Error> {
        let node = match self.domains.iter().position(|&known| known == domain) {
            Some(node) => node,
            None => {
                self.domains.try_push(domain).map_err(|_| Error::TooManyNodes)?;
                self.domains.len() - 1
            }
        };
        Ok(node as u8)
    }
}

/// `N` bytes of a table.
fn field<const N: usize>(table: &[u8], at: usize) -> Result<[u8; N], Error> {
    let bytes = at.checked_add(N).and_then(|end| table.get(at..end));
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(Error::Truncated)
}

fn u32_at(table: &[u8], at: usize) -> Result<u32, Error> {
    field(table, at).map(u32::from_le_bytes)
}

fn u64_at(table: &[u8], at: usize) -> Result<u64, Error> {
    field(table, at).map(u64::from_le_bytes)
}
