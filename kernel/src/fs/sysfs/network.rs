//! `/sys/class/net` and `/sys/devices/virtual/net`: the interfaces, as they are at the moment.

use super::Dir;
use crate::{
    fs::{
        FileType, Inode,
        synthetic::{Attributes, DynamicDir, ListEntry, Show, SyntheticFs},
    },
    net::{
        device::{self, Cause, Change, Interface, Outcome},
        options::privileged,
    },
    process::Capability,
};
use abi::{Errno, Result, interface::InterfaceFlags, rtnetlink::IF_OPER_DOWN};
use alloc::{
    boxed::Box,
    format,
    string::String,
    sync::{Arc, Weak},
    vec::Vec,
};

/// Inode numbers of what is about interfaces: this bit, the interface's number, the place in its directory.
const INODES: u64 = 1 << 40;
/// Places in one interface's directories.
const PLACES: u64 = 1 << 8;

/// The two directories: links, and what they lead to.
pub(super) fn build(class: &Dir<'_>, virt: &Dir<'_>) {
    for (parent, what) in [(class, What::Links), (virt, What::Homes)] {
        let dir = Arc::new(Interfaces { fs: Arc::downgrade(parent.fs), what });
        let inode = parent.fs.dynamic_dir(Attributes::root(0o755), dir);
        parent.entries.add(b"net", inode);
    }
}

/// What stands for an interface.
#[derive(Clone, Copy)]
enum What {
    /// A link to its directory.
    Links,
    /// Its directory.
    Homes,
}

/// A directory of all interfaces.
struct Interfaces {
    fs: Weak<SyntheticFs>,
    what: What,
}

impl DynamicDir for Interfaces {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        let network = device::current();
        let interface = network.named(name).ok_or(Errno::ENOENT)?;
        let fs = self.fs.upgrade().ok_or(Errno::ENOENT)?;
        let at = Place { fs, interface: interface.index };
        Ok(match self.what {
            What::Homes => at.directory(0, ENTRIES),
            What::Links => {
                let target = format!("../../devices/virtual/net/{}", interface.name);
                let attributes = Attributes::root(0o777).numbered(at.inode_number(PLACES - 1));
                at.fs.symlink(attributes, move || Ok(target.clone().into_bytes()))
            }
        })
    }

    fn list(&self, from: u64, entry: ListEntry<'_>) -> Result<()> {
        for interface in device::current().interfaces() {
            // The interface's number, after the two cookies that are taken.
            let cookie = u64::from(interface.index) + 1;
            let (kind, place) = match self.what {
                What::Homes => (FileType::Directory, 0),
                What::Links => (FileType::Symlink, PLACES - 1),
            };
            let number = inode_number(interface.index, place);
            if cookie >= from && !entry(interface.name.as_bytes(), number, kind, cookie) {
                break;
            }
        }
        Ok(())
    }
}

fn inode_number(interface: u32, place: u64) -> u64 {
    INODES + u64::from(interface) * PLACES + place
}

/// Makes the text of a file; `EINVAL` and others, where an interface has no such thing.
type Text = fn(&Interface) -> Result<String>;
/// Makes the change that a number written to a file asks for.
type Set = fn(&mut Change, &Interface, u32) -> Outcome<()>;

/// What an entry of an interface's directory is.
#[derive(Clone, Copy)]
enum Entry {
    /// A file of one line.
    Line(Text),
    /// One that a number can be written to.
    Setting(Text, Set),
    /// A file of several lines.
    Lines(Text),
    /// A directory.
    Directory(&'static [(&'static str, Entry)]),
    /// A link to the same for every interface.
    Link(&'static str),
}

fn number(value: impl core::fmt::Display) -> Result<String> {
    Ok(format!("{value}"))
}

fn hexadecimal(value: u32) -> Result<String> {
    Ok(format!("{value:#x}"))
}

fn hardware(address: [u8; 6]) -> Result<String> {
    Ok(address.map(|byte| format!("{byte:02x}")).join(":"))
}

/// Numbers that are 0 for every interface there is.
const ZERO: Entry = Entry::Line(|_| number(0));

/// `/sys/class/net/<interface>` (Linux's `Documentation/ABI/testing/sysfs-class-net`).
const ENTRIES: &[(&str, Entry)] = &[
    ("addr_assign_type", ZERO),
    ("addr_len", Entry::Line(|interface| number(interface.hardware_address.len()))),
    ("address", Entry::Line(|interface| hardware(interface.hardware_address))),
    ("broadcast", Entry::Line(|interface| hardware(interface.hardware_broadcast))),
    ("carrier", Entry::Line(|interface| up_only(interface, "1"))),
    ("carrier_changes", ZERO),
    ("carrier_down_count", ZERO),
    ("carrier_up_count", ZERO),
    ("dev_id", Entry::Line(|_| hexadecimal(0))),
    ("dev_port", ZERO),
    ("dormant", Entry::Line(|interface| up_only(interface, "0"))),
    // Speed and duplex are of a cable.
    ("duplex", Entry::Line(|_| Err(Errno::EINVAL))),
    ("flags", Entry::Setting(|interface| hexadecimal(flags(interface)), set_flags)),
    ("ifindex", Entry::Line(|interface| number(interface.index))),
    ("iflink", Entry::Line(|interface| number(interface.index))),
    ("link_mode", ZERO),
    (
        "mtu",
        Entry::Setting(
            |interface| number(interface.mtu),
            |change, interface, mtu| change.set_mtu(interface.index, mtu),
        ),
    ),
    // By the kernel (`NET_NAME_PREDICTABLE`), or by somebody else (`NET_NAME_RENAMED`).
    ("name_assign_type", Entry::Line(|interface| number(if interface.renamed { 4 } else { 2 }))),
    (
        "netdev_group",
        Entry::Setting(
            |interface| number(interface.group),
            |change, interface, group| change.set_group(interface.index, group),
        ),
    ),
    ("operstate", Entry::Line(operational_state)),
    ("proto_down", ZERO),
    ("speed", Entry::Line(|_| Err(Errno::EINVAL))),
    ("statistics", Entry::Directory(STATISTICS)),
    ("subsystem", Entry::Link("../../../../class/net")),
    ("testing", Entry::Line(|interface| up_only(interface, "0"))),
    (
        "tx_queue_len",
        Entry::Setting(
            |interface| number(interface.tx_queue_len),
            |change, interface, len| change.set_tx_queue_len(interface.index, len),
        ),
    ),
    ("type", Entry::Line(|interface| number(interface.hardware_type))),
    (
        "uevent",
        Entry::Lines(|interface| {
            Ok(format!("INTERFACE={}\nIFINDEX={}\n", interface.name, interface.index))
        }),
    ),
];

/// Nothing of what travels is counted yet.
const STATISTICS: &[(&str, Entry)] = &[
    ("collisions", ZERO),
    ("multicast", ZERO),
    ("rx_bytes", ZERO),
    ("rx_compressed", ZERO),
    ("rx_crc_errors", ZERO),
    ("rx_dropped", ZERO),
    ("rx_errors", ZERO),
    ("rx_fifo_errors", ZERO),
    ("rx_frame_errors", ZERO),
    ("rx_length_errors", ZERO),
    ("rx_missed_errors", ZERO),
    ("rx_nohandler", ZERO),
    ("rx_over_errors", ZERO),
    ("rx_packets", ZERO),
    ("tx_aborted_errors", ZERO),
    ("tx_bytes", ZERO),
    ("tx_carrier_errors", ZERO),
    ("tx_compressed", ZERO),
    ("tx_dropped", ZERO),
    ("tx_errors", ZERO),
    ("tx_fifo_errors", ZERO),
    ("tx_heartbeat_errors", ZERO),
    ("tx_packets", ZERO),
    ("tx_window_errors", ZERO),
];

/// What only an interface that is up can tell; `EINVAL`.
fn up_only(interface: &Interface, text: &str) -> Result<String> {
    if interface.is_up() { Ok(String::from(text)) } else { Err(Errno::EINVAL) }
}

/// The flags without those that follow from the link.
fn flags(interface: &Interface) -> u32 {
    let from_link = InterfaceFlags::RUNNING | InterfaceFlags::LOWER_UP;
    (interface.flags() - from_link).bits()
}

fn set_flags(change: &mut Change, interface: &Interface, flags: u32) -> Outcome<()> {
    change.set_flags(interface.index, InterfaceFlags::from_bits_truncate(flags))
}

fn operational_state(interface: &Interface) -> Result<String> {
    let state = interface.operational_state();
    Ok(String::from(if state == IF_OPER_DOWN { "down" } else { "unknown" }))
}

/// One interface, wherever its directory is.
struct Place {
    fs: Arc<SyntheticFs>,
    interface: u32,
}

impl Place {
    fn inode_number(&self, place: u64) -> u64 {
        inode_number(self.interface, place)
    }

    /// A directory whose own number is `first`, and whose entries' numbers follow it.
    fn directory(&self, first: u64, entries: &'static [(&'static str, Entry)]) -> Arc<Inode> {
        let dir = Home { fs: Arc::downgrade(&self.fs), interface: self.interface, first, entries };
        let attributes = Attributes::root(0o755).numbered(self.inode_number(first));
        self.fs.dynamic_dir(attributes, Arc::new(dir))
    }

    fn entry(&self, place: u64, entry: Entry) -> Arc<Inode> {
        let attributes = |mode| Attributes::root(mode).numbered(self.inode_number(place));
        match entry {
            Entry::Line(text) => self.fs.text(attributes(0o444), self.line(text)),
            Entry::Lines(text) => {
                let index = self.interface;
                self.fs.text(attributes(0o444), move |out| {
                    *out += &text(&*interface(index)?)?;
                    Ok(())
                })
            }
            Entry::Setting(text, set) => {
                let index = self.interface;
                let store = Box::new(move |text: &[u8]| store(index, set, text));
                self.fs.writable_text(attributes(0o644), Some(self.line(text)), store)
            }
            // The numbers after those of its own directory's entries.
            Entry::Directory(entries) => self.directory(PLACES / 2, entries),
            Entry::Link(target) => {
                self.fs.symlink(attributes(0o777), move || Ok(Vec::from(target)))
            }
        }
    }

    fn line(&self, text: Text) -> Show {
        let index = self.interface;
        Box::new(move |out| {
            *out += &text(&*interface(index)?)?;
            out.push('\n');
            Ok(())
        })
    }
}

/// An interface as it is now. Reading about one that is gone is `EINVAL`, as on Linux.
fn interface(index: u32) -> Result<Arc<Interface>> {
    device::current().interface(index).cloned().ok_or(Errno::EINVAL)
}

/// Carries out what a number that was written asks for: `EPERM`, `EINVAL`, and what the change gives.
fn store(index: u32, set: Set, text: &[u8]) -> Result<()> {
    if !privileged(Capability::NetAdmin) {
        return Err(Errno::EPERM);
    }
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let value = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let value = value.map_err(|_| Errno::EINVAL)?;
    Ok(device::change(Cause::default(), |change| {
        let interface = Arc::clone(change.interface(index)?);
        set(change, &interface, value)
    })?)
}

/// A directory of one interface.
struct Home {
    fs: Weak<SyntheticFs>,
    interface: u32,
    first: u64,
    entries: &'static [(&'static str, Entry)],
}

impl DynamicDir for Home {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        let place = Place {
            fs: self.fs.upgrade().ok_or(Errno::ENOENT)?,
            interface: interface(self.interface).map_err(|_| Errno::ENOENT)?.index,
        };
        let mut numbered = (self.first + 1..).zip(self.entries);
        let found = numbered.find(|(_, (have, _))| have.as_bytes() == name);
        let (number, (_, entry)) = found.ok_or(Errno::ENOENT)?;
        Ok(place.entry(number, *entry))
    }

    fn list(&self, from: u64, entry: ListEntry<'_>) -> Result<()> {
        for (offset, (name, what)) in (0..).zip(self.entries) {
            let kind = match what {
                Entry::Line(_) | Entry::Lines(_) | Entry::Setting(..) => FileType::Regular,
                Entry::Directory(_) => FileType::Directory,
                Entry::Link(_) => FileType::Symlink,
            };
            let place = match what {
                Entry::Directory(_) => PLACES / 2,
                _ => self.first + 1 + offset,
            };
            let number = inode_number(self.interface, place);
            let cookie = offset + 2;
            if cookie >= from && !entry(name.as_bytes(), number, kind, cookie) {
                break;
            }
        }
        Ok(())
    }
}
