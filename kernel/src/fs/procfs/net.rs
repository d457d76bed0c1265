//! `/proc/net`: the tables of the network. What has no subsystem behind it yet shows Linux's heading and no rows; what
//! would have no heading is not there.

use crate::fs::{
    Inode,
    synthetic::{Attributes, SyntheticFs},
};
use alloc::{sync::Arc, vec::Vec};

/// File name and heading.
const TABLES: &[(&str, &str)] = &[
    (
        "dev",
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    ),
    ("unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"),
    (
        "tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n",
    ),
    (
        "udp",
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n",
    ),
    (
        "raw",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n",
    ),
    (
        "route",
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n",
    ),
    ("arp", "IP address       HW type     Flags       HW address            Mask     Device\n"),
    ("packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
];

/// The directory, as `/proc/<pid>/net` shows it.
pub fn build(fs: &Arc<SyntheticFs>) -> Arc<Inode> {
    let entries: Vec<_> = TABLES
        .iter()
        .map(|(name, heading)| {
            let show = |out: &mut alloc::string::String| {
                out.push_str(heading);
                Ok(())
            };
            (*name, fs.text(Attributes::root(0o444), show))
        })
        .collect();
    fs.dir(Attributes::root(0o555), entries).0
}
