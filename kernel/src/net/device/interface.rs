//! One interface, as it is at one time. Immutable where readers see it; a change makes a new one.

use super::Address;
use abi::{
    interface::{IFNAMSIZ, InterfaceFlags},
    rtnetlink::{IF_OPER_DOWN, IF_OPER_UNKNOWN},
};
use alloc::vec::Vec;
use arrayvec::ArrayString;

/// An interface's name, or an address's label.
pub type Name = ArrayString<{ IFNAMSIZ - 1 }>;

/// Bytes of an Ethernet address.
pub const HARDWARE_ADDRESS_LEN: usize = 6;
/// With less room than this in a packet there is no IPv4 (RFC 791).
const IPV4_MIN_MTU: u32 = 68;
/// How many packets wait for an interface unless somebody says otherwise.
const DEFAULT_TX_QUEUE_LEN: u32 = 1000;

/// What a driver says of an interface when it registers it.
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// `ARPHRD_*`.
    pub hardware_type: u16,
    /// The address on its network.
    pub address: [u8; HARDWARE_ADDRESS_LEN],
    /// The address of all on its network.
    pub broadcast: [u8; HARDWARE_ADDRESS_LEN],
    /// What it can do.
    pub flags: InterfaceFlags,
    /// Bytes of the longest packet.
    pub mtu: u32,
    /// The least that may be.
    pub min_mtu: u32,
    /// The most that may be; 0 for no bound.
    pub max_mtu: u32,
}

/// An interface.
#[derive(Clone)]
pub struct Interface {
    /// Its number: never given twice.
    pub index: u32,
    /// Its name: of all interfaces only this one has it.
    pub name: Name,
    /// `ARPHRD_*`.
    pub hardware_type: u16,
    /// The address on its network.
    pub hardware_address: [u8; HARDWARE_ADDRESS_LEN],
    /// The address of all on its network.
    pub hardware_broadcast: [u8; HARDWARE_ADDRESS_LEN],
    /// Bytes of the longest packet.
    pub mtu: u32,
    /// The least that may be.
    pub min_mtu: u32,
    /// The most that may be; 0 for no bound.
    pub max_mtu: u32,
    /// How many packets may wait.
    pub tx_queue_len: u32,
    /// A number by which many can be named at once.
    pub group: u32,
    /// Whether it was up at any time.
    pub was_up: bool,
    /// Whether it has another name than the kernel gave it.
    pub renamed: bool,
    /// Its IPv4 addresses: primary ones by falling reach, then secondary ones.
    pub addresses: Vec<Address>,
    flags: InterfaceFlags,
}

impl Interface {
    /// What user space may switch.
    const SWITCHES: InterfaceFlags = InterfaceFlags::UP
        .union(InterfaceFlags::DEBUG)
        .union(InterfaceFlags::NOTRAILERS)
        .union(InterfaceFlags::NOARP)
        .union(InterfaceFlags::PROMISC)
        .union(InterfaceFlags::ALLMULTI)
        .union(InterfaceFlags::MULTICAST)
        .union(InterfaceFlags::PORTSEL)
        .union(InterfaceFlags::AUTOMEDIA)
        .union(InterfaceFlags::DYNAMIC);

    pub(super) fn new(index: u32, name: Name, description: &Description) -> Interface {
        Interface {
            index,
            name,
            hardware_type: description.hardware_type,
            hardware_address: description.address,
            hardware_broadcast: description.broadcast,
            mtu: description.mtu,
            min_mtu: description.min_mtu,
            max_mtu: description.max_mtu,
            tx_queue_len: DEFAULT_TX_QUEUE_LEN,
            group: 0,
            was_up: false,
            renamed: false,
            addresses: Vec::new(),
            flags: description.flags,
        }
    }

    /// As user space sees them. An interface that is up has a link: there is no driver whose link comes and goes.
    pub fn flags(&self) -> InterfaceFlags {
        match self.is_up() {
            true => self.flags | InterfaceFlags::RUNNING | InterfaceFlags::LOWER_UP,
            false => self.flags,
        }
    }

    /// Switches what user space may switch to what `wanted` has; what changed.
    pub(super) fn switch(&mut self, wanted: InterfaceFlags) -> InterfaceFlags {
        let new = (wanted & Interface::SWITCHES) | (self.flags - Interface::SWITCHES);
        let changed = new ^ self.flags;
        self.flags = new;
        self.was_up |= self.is_up();
        changed
    }

    /// Whether it carries packets.
    pub fn is_up(&self) -> bool {
        self.flags.contains(InterfaceFlags::UP)
    }

    /// Whether what is sent comes back here.
    pub fn is_loopback(&self) -> bool {
        self.flags.contains(InterfaceFlags::LOOPBACK)
    }

    /// Whether it can have IPv4 addresses.
    pub fn speaks_ipv4(&self) -> bool {
        self.mtu >= IPV4_MIN_MTU
    }

    /// Its state in the sense of RFC 2863. Up it is unknown, as for every driver that does not tell.
    pub fn operational_state(&self) -> u8 {
        if self.is_up() { IF_OPER_UNKNOWN } else { IF_OPER_DOWN }
    }

    /// What queues its packets: nothing, and before it was ever up nothing that would take any.
    pub fn queue_discipline(&self) -> &'static str {
        if self.was_up { "noqueue" } else { "noop" }
    }

    /// How many want all packets that pass it.
    pub fn promiscuity(&self) -> u32 {
        u32::from(self.flags.contains(InterfaceFlags::PROMISC))
    }

    /// How many want all packets to many that pass it.
    pub fn all_multicast(&self) -> u32 {
        u32::from(self.flags.contains(InterfaceFlags::ALLMULTI))
    }
}
