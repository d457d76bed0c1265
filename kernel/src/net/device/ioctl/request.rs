//! `struct ifreq`: a name, and a union that each command reads in its own way.

use super::{
    super::{HARDWARE_ADDRESS_LEN, Interface, Name, Network, network},
    name_of,
};
use crate::mm::{UserAddr, user};
use abi::{
    Errno, Result,
    interface::{InterfaceFlags, InterfaceRequest, SocketAddress4},
};
use alloc::sync::Arc;
use zerocopy::{FromBytes, IntoBytes};

/// The request of a call.
pub(super) struct Request(InterfaceRequest);

impl Request {
    /// From user memory; `EFAULT`.
    pub fn read(at: usize) -> Result<Request> {
        Ok(Request(user::read(UserAddr(at))?))
    }

    /// Back to user memory; `EFAULT`.
    pub fn write(&self, at: usize) -> Result<usize> {
        user::write(UserAddr(at), &self.0)?;
        Ok(0)
    }

    /// The name, which may be one of an address: with a colon in it.
    pub fn label(&self) -> &[u8] {
        name_of(&self.0.name)
    }

    /// Whether the name is one of an address.
    pub fn names_address(&self) -> bool {
        self.label().contains(&b':')
    }

    /// The interface that is named: what is before a colon. `ENODEV`.
    pub fn find<'a>(&self, network: &'a Network) -> Result<&'a Arc<Interface>> {
        let label = self.label();
        let end = label.iter().position(|byte| *byte == b':').unwrap_or(label.len());
        network.named(&label[..end]).ok_or(Errno::ENODEV)
    }

    /// The interface as it is now; `ENODEV`.
    pub fn interface(&self) -> Result<Arc<Interface>> {
        self.find(&network::current()).cloned()
    }

    /// Puts an interface's name in.
    pub fn set_name(&mut self, name: &Name) {
        self.0.name.fill(0);
        self.0.name[..name.len()].copy_from_slice(name.as_bytes());
    }

    /// The new name of `SIOCSIFNAME`.
    pub fn new_name(&self) -> &[u8] {
        match self.0.value.first_chunk() {
            Some(bytes) => name_of(bytes),
            None => &[],
        }
    }

    /// An `int`.
    pub fn int(&self) -> i32 {
        self.plain()
    }

    /// A pointer.
    pub fn pointer(&self) -> UserAddr {
        UserAddr(self.plain())
    }

    /// Flags: the lower half of what netlink has.
    pub fn flags(&self) -> InterfaceFlags {
        InterfaceFlags::from_bits_truncate(u32::from(self.plain::<u16>()))
    }

    /// An Internet address.
    pub fn address(&self) -> SocketAddress4 {
        self.plain()
    }

    /// A hardware address and its kind.
    pub fn hardware(&self) -> (u16, [u8; HARDWARE_ADDRESS_LEN]) {
        let address: [u8; 2 + HARDWARE_ADDRESS_LEN] = self.plain();
        let mut bytes = [0; HARDWARE_ADDRESS_LEN];
        bytes.copy_from_slice(&address[2..]);
        (self.plain(), bytes)
    }

    pub fn set_int(&mut self, value: i32) {
        self.put(value.as_bytes());
    }

    pub fn set_short(&mut self, value: u16) {
        self.put(value.as_bytes());
    }

    pub fn set_address(&mut self, address: SocketAddress4) {
        self.put(address.as_bytes());
    }

    pub fn set_hardware(&mut self, kind: u16, address: [u8; HARDWARE_ADDRESS_LEN]) {
        self.0.value[..16].fill(0);
        self.put(kind.as_bytes());
        self.0.value[2..2 + HARDWARE_ADDRESS_LEN].copy_from_slice(&address);
    }

    /// All of the union zero.
    pub fn clear(&mut self) {
        self.0.value.fill(0);
    }

    /// The start of the union as a type that is no longer than it.
    fn plain<T: FromBytes + Default>(&self) -> T {
        T::read_from_prefix(&self.0.value).map(|(value, _)| value).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) {
        self.0.value[..bytes.len()].copy_from_slice(bytes);
    }
}
