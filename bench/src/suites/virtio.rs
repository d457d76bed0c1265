//! What goes through devices: iperf3 over a virtio network card to an iperf3 on the host, fio on a virtio disk.
//!
//! Half of each figure is QEMU's work, the same for both kernels; none of it is counted in instructions, because the host's part differs
//! from run to run.

use super::{Case, Suite, fio, network};
use crate::devices::{DISK, HOST, PORT_VARIABLE};
use crate::guest::Ran;

pub(super) fn suite() -> Suite {
    let mut cases = streams();
    cases.extend(files());
    Suite { name: "virtio", packages: &["fio", "iperf3"], recipes: &[], devices: true, cases }
}

/// QEMU's user-mode network gives its guest 10.0.2.15.
fn streams() -> Vec<Case> {
    let card = "ip link set eth0 up && ip address replace 10.0.2.15/24 dev eth0";
    let case = |label: &str, switches: &str| {
        let client = format!(
            "iperf3 --client {HOST} --port ${PORT_VARIABLE} --time 2 --format m {switches}"
        );
        Case::new("iperf3", label, format!("{card} && {client}")).rate("Mbit", network::received)
    };
    vec![
        case("virtio, TCP to the host", ""),
        case("virtio, TCP from the host", "--reverse"),
        case("virtio, UDP to the host", "--udp --bandwidth 0"),
    ]
}

fn files() -> Vec<Case> {
    let case = |label: &str, switches: &str, read: fn(&Ran) -> Option<f64>| {
        // Without the disk, fio would make a file of that name in memory.
        let disk = format!("[ -b {DISK} ] || {{ echo there is no {DISK}; exit 1; }}");
        let command = format!(
            "{disk}; fio --name=job --filename={DISK} --size=64m --direct=1 --thread --time_based --runtime=1 --minimal {switches}"
        );
        Case::new("fio", label, command).rate("operation", read)
    };
    vec![
        case("disk, random reads, 4 KiB", "--rw=randread --bs=4k --ioengine=psync", fio::reads),
        case("disk, random writes, 4 KiB", "--rw=randwrite --bs=4k --ioengine=psync", fio::writes),
        case("disk, reads, 64 KiB", "--rw=read --bs=64k --ioengine=psync", fio::reads),
        case("disk, writes, 64 KiB", "--rw=write --bs=64k --ioengine=psync", fio::writes),
    ]
}
