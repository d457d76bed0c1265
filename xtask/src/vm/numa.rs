//! NUMA nodes of the virtual machine: how its memory and CPUs are shared out among them.

use super::Options;
use crate::error::{Error, Result};

/// The distance of a node from itself, as ACPI has it.
const LOCAL: u32 = 10;
/// How much farther each step to the side is. One more than what a kernel takes for granted, so that one that does not read the table is found out.
const STEP: u32 = 11;
/// Nodes get memory in pieces of this, as firmware has it.
const PIECE: u64 = 128 << 20;

/// QEMU's arguments for [`Options::nodes`] nodes; none for one. Memory and CPUs are shared evenly, in order; nodes lie on a line.
pub(super) fn arguments(options: &Options) -> Result<Vec<String>> {
    let nodes = options.nodes;
    let mut arguments = Vec::new();
    if nodes == 1 {
        return Ok(arguments);
    }
    let memory = bytes(&options.mem)
        .ok_or_else(|| Error::Usage(format!("--mem {}: not a size", options.mem)))?;
    let piece = if memory / u64::from(nodes) < PIECE { 1 << 20 } else { PIECE };
    let share = memory / u64::from(nodes) / piece * piece;
    if share == 0 {
        return Err(Error::Usage(format!("--mem {} is too little for {nodes} nodes", options.mem)));
    }
    for node in 0..nodes {
        let last = node == nodes - 1;
        let size = if last { memory - share * u64::from(nodes - 1) } else { share };
        let (first, end) = (node * options.smp / nodes, (node + 1) * options.smp / nodes);
        let cpus = if first < end { format!(",cpus={first}-{}", end - 1) } else { String::new() };
        arguments.push("-object".into());
        arguments.push(format!("memory-backend-ram,id=ram{node},size={size}"));
        arguments.push("-numa".into());
        arguments.push(format!("node,nodeid={node},memdev=ram{node}{cpus}"));
    }
    for from in 0..nodes {
        for to in 0..nodes {
            let distance = LOCAL + STEP * from.abs_diff(to);
            arguments.push("-numa".into());
            arguments.push(format!("dist,src={from},dst={to},val={distance}"));
        }
    }
    Ok(arguments)
}

/// A size as QEMU's `-m` takes it: mebibytes, or with a suffix.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|suffix: char| suffix.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "K" => 10,
        "" | "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::Kernel;

    fn machine(smp: u32, mem: &str, nodes: u32) -> Options {
        Options { smp, mem: mem.into(), nodes, ..Options::for_command(Kernel::Nos, &[]) }
    }

    #[test]
    fn one_node_needs_no_arguments() {
        assert!(arguments(&machine(4, "1G", 1)).unwrap().is_empty());
    }

    #[test]
    fn memory_and_cpus_are_shared_evenly() {
        let arguments = arguments(&machine(4, "1G", 2)).unwrap();
        for expected in [
            "memory-backend-ram,id=ram1,size=536870912",
            "node,nodeid=0,memdev=ram0,cpus=0-1",
            "node,nodeid=1,memdev=ram1,cpus=2-3",
            "dist,src=0,dst=0,val=10",
            "dist,src=0,dst=1,val=21",
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{expected}");
        }
    }

    #[test]
    fn every_byte_and_cpu_is_on_some_node() {
        let arguments = arguments(&machine(1, "1000M", 3)).unwrap();
        let sizes = arguments.iter().filter_map(|argument| argument.split("size=").nth(1));
        assert_eq!(sizes.map(|size| size.parse::<u64>().unwrap()).sum::<u64>(), 1000 << 20);
        assert_eq!(arguments.iter().filter(|argument| argument.contains("cpus=0-0")).count(), 1);
    }

    #[test]
    fn sizes_are_read_as_qemu_reads_them() {
        assert_eq!(bytes("512"), Some(512 << 20));
        assert_eq!(bytes("2g"), Some(2 << 30));
        assert_eq!(bytes("much"), None);
    }
}
