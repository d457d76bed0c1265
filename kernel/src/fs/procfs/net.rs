//! `/proc/net`: the tables of the network. What has no subsystem behind it yet shows Linux's heading and no rows; what
//! would have no heading is not there.

use crate::{
    fs::{
        Inode,
        synthetic::{Attributes, SyntheticFs},
    },
    net::{device, inet::table},
};
use abi::Errno;
use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;

/// Adds the rows of a table.
type Rows = fn(&mut String) -> fmt::Result;

/// File name, heading and rows.
const TABLES: &[(&str, &str, Rows)] = &[
    (
        "dev",
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
        device::show::devices,
    ),
    ("unix", "Num       RefCount Protocol Flags    Type St Inode Path\n", none),
    (
        "tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n",
        table::tcp,
    ),
    (
        "udp",
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n",
        table::udp,
    ),
    (
        "raw",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n",
        none,
    ),
    (
        "route",
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n",
        device::show::routes,
    ),
    (
        "arp",
        "IP address       HW type     Flags       HW address            Mask     Device\n",
        none,
    ),
    ("packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n", none),
    ("snmp", "", table::snmp),
];

fn none(_: &mut String) -> fmt::Result {
    Ok(())
}

/// The directory, as `/proc/<pid>/net` shows it.
pub fn build(fs: &Arc<SyntheticFs>) -> Arc<Inode> {
    let entries: Vec<_> = TABLES
        .iter()
        .map(|(name, heading, rows)| {
            let show = |out: &mut String| {
                out.push_str(heading);
                rows(out).map_err(|_| Errno::ENOMEM)
            };
            (*name, fs.text(Attributes::root(0o444), show))
        })
        .collect();
    fs.dir(Attributes::root(0o555), entries).0
}
