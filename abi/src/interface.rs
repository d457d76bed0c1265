//! Interfaces as `ioctl(2)` names them: `<linux/if.h>`, `<linux/route.h>`, `<linux/sockios.h>` (`netdevice(7)`).
#![expect(missing_docs, reason = "the names are the headers' own")]

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of an interface's name with its NUL.
pub const IFNAMSIZ: usize = 16;

bitflags::bitflags! {
    /// `IFF_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct InterfaceFlags: u32 {
        const UP = 1;
        const BROADCAST = 2;
        const DEBUG = 4;
        const LOOPBACK = 8;
        const POINTOPOINT = 0x10;
        const NOTRAILERS = 0x20;
        const RUNNING = 0x40;
        const NOARP = 0x80;
        const PROMISC = 0x100;
        const ALLMULTI = 0x200;
        const MASTER = 0x400;
        const SLAVE = 0x800;
        const MULTICAST = 0x1000;
        const PORTSEL = 0x2000;
        const AUTOMEDIA = 0x4000;
        const DYNAMIC = 0x8000;
        const LOWER_UP = 0x1_0000;
        const DORMANT = 0x2_0000;
        const ECHO = 0x4_0000;
    }
}

/// The hardware type of a loopback interface (`<linux/if_arp.h>`).
pub const ARPHRD_LOOPBACK: u16 = 772;

/// About the driver: a command in user memory.
pub const SIOCETHTOOL: u32 = 0x8946;
/// `SIOCETHTOOL`: whether there is a link.
pub const ETHTOOL_GLINK: u32 = 10;

/// `struct ifreq`; the union as bytes.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
pub struct InterfaceRequest {
    pub name: [u8; IFNAMSIZ],
    pub value: [u8; 24],
}

/// `struct ifconf`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
pub struct InterfaceList {
    pub len: i32,
    pub pad: u32,
    pub buffer: u64,
}

/// `struct sockaddr_in`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable)]
pub struct SocketAddress4 {
    pub family: u16,
    pub port: [u8; 2],
    pub address: [u8; 4],
    pub zero: [u8; 8],
}

/// `struct rtentry`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
pub struct RouteEntry {
    pub pad1: u64,
    pub destination: SocketAddress4,
    pub gateway: SocketAddress4,
    pub mask: SocketAddress4,
    pub flags: u16,
    pub pad2: u16,
    pub pad3: u32,
    pub pad4: u64,
    pub pad5: u64,
    /// The metric and one.
    pub metric: i16,
    pub pad6: [u16; 3],
    /// The interface's name in user memory.
    pub device: u64,
    pub mtu: u64,
    pub window: u64,
    pub rtt: u16,
    pub pad7: [u16; 3],
}

/// Flags of a [`RouteEntry`] and in `/proc/net/route`.
pub const RTF_UP: u16 = 1;
pub const RTF_GATEWAY: u16 = 2;
pub const RTF_HOST: u16 = 4;
pub const RTF_MTU: u16 = 0x40;
pub const RTF_WINDOW: u16 = 0x80;
pub const RTF_IRTT: u16 = 0x100;
pub const RTF_REJECT: u16 = 0x200;
