//! Interfaces by `ioctl(2)` (`netdevice(7)`).
//!
//! Linux asks a socket's family first, then answers for sockets of every family what is about interfaces alone. [`ioctl`] is
//! both for Internet sockets, [`any_socket`] the second alone.

mod address;
mod list;
mod request;
mod route;

use super::{Cause, Change, HARDWARE_ADDRESS_LEN, Interface, Outcome, change, network};
use crate::{
    mm::{UserAddr, user},
    net::options::privileged,
    process::Capability,
};
use abi::{
    Errno, Result,
    interface::{ETHTOOL_GLINK, IFNAMSIZ, SIOCETHTOOL},
    ioctl::*,
};
use alloc::sync::Arc;
use request::Request;

/// The kind of these commands (`SOCK_IOC_TYPE`).
const SOCKET_COMMAND: u32 = 0x89;

/// What an Internet socket answers; `ENOTTY` for a command that is not about interfaces.
pub fn ioctl(command: u32, argument: usize) -> Result<usize> {
    match command {
        SIOCADDRT | SIOCDELRT => route::ioctl(command, argument),
        SIOCGIFADDR..=SIOCSIFNETMASK => address::ioctl(command, argument),
        SIOCSIFFLAGS => address::ioctl(command, argument),
        _ => any_socket(command, argument),
    }
}

/// What a socket of any family answers; `ENOTTY`.
pub fn any_socket(command: u32, argument: usize) -> Result<usize> {
    if command >> 8 & 0xff != SOCKET_COMMAND {
        return Err(Errno::ENOTTY);
    }
    if command == SIOCGIFCONF {
        return list::ioctl(argument);
    }
    let mut request = Request::read(argument)?;
    match command {
        SIOCGIFNAME => {
            let network = network::current();
            let index = u32::try_from(request.int()).map_err(|_| Errno::ENODEV)?;
            let interface = network.interface(index).ok_or(Errno::ENODEV)?;
            request.set_name(&interface.name);
            request.write(argument)
        }
        SIOCGIFFLAGS | SIOCGIFMETRIC | SIOCGIFMTU | SIOCGIFHWADDR | SIOCGIFSLAVE | SIOCGIFMAP
        | SIOCGIFINDEX | SIOCGIFTXQLEN => {
            get(command, &*request.interface()?, &mut request)?;
            request.write(argument)
        }
        SIOCETHTOOL => {
            request.interface()?;
            ethtool(request.pointer())
        }
        SIOCSIFFLAGS | SIOCSIFMETRIC | SIOCSIFMTU | SIOCSIFHWADDR | SIOCSIFHWBROADCAST
        | SIOCSIFSLAVE | SIOCSIFMAP | SIOCADDMULTI | SIOCDELMULTI | SIOCSIFTXQLEN | SIOCSIFNAME => {
            set_as_admin(|change| set(command, &request, change))?;
            Ok(0)
        }
        SIOCDEVPRIVATE..0x8a00 => {
            request.interface()?;
            Err(Errno::EOPNOTSUPP)
        }
        _ => Err(Errno::ENOTTY),
    }
}

/// Carries out a change for who may change the network; `EPERM`.
fn set_as_admin(make: impl FnOnce(&mut Change) -> Outcome<()>) -> Result<()> {
    if !privileged(Capability::NetAdmin) {
        return Err(Errno::EPERM);
    }
    Ok(change(Cause::default(), make)?)
}

fn get(command: u32, interface: &Interface, request: &mut Request) -> Result<()> {
    let int = |value: u32| value.cast_signed();
    match command {
        // A 16-bit word: the flags above it are netlink's alone.
        SIOCGIFFLAGS => request.set_short(interface.flags().bits() as u16),
        SIOCGIFMETRIC => request.set_int(0),
        SIOCGIFMTU => request.set_int(int(interface.mtu)),
        SIOCGIFHWADDR => {
            request.set_hardware(interface.hardware_type, interface.hardware_address);
        }
        SIOCGIFMAP => request.clear(),
        SIOCGIFINDEX => request.set_int(int(interface.index)),
        SIOCGIFTXQLEN => request.set_int(int(interface.tx_queue_len)),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

fn set(command: u32, request: &Request, change: &mut Change) -> Outcome<()> {
    let interface = Arc::clone(request.find(change.network())?);
    let index = interface.index;
    let hardware = || -> Result<[u8; HARDWARE_ADDRESS_LEN]> {
        let (kind, address) = request.hardware();
        if kind == interface.hardware_type { Ok(address) } else { Err(Errno::EINVAL) }
    };
    match command {
        SIOCSIFFLAGS => change.set_flags(index, request.flags()),
        SIOCSIFMTU => {
            let mtu = u32::try_from(request.int()).map_err(|_| Errno::EINVAL)?;
            change.set_mtu(index, mtu)
        }
        SIOCSIFHWADDR => change.set_hardware_address(index, hardware()?),
        SIOCSIFHWBROADCAST => change.set_hardware_broadcast(index, hardware()?),
        SIOCSIFTXQLEN => {
            let len = u32::try_from(request.int()).map_err(|_| Errno::EINVAL)?;
            change.set_tx_queue_len(index, len)
        }
        SIOCSIFNAME => change.rename(index, request.new_name()),
        SIOCSIFMETRIC | SIOCSIFMAP => Err(Errno::EOPNOTSUPP.into()),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `SIOCETHTOOL`: a command, then its answer. Every interface has a link: there is no driver whose link comes and goes.
fn ethtool(at: UserAddr) -> Result<usize> {
    let command: u32 = user::read(at)?;
    if command != ETHTOOL_GLINK {
        return Err(Errno::EOPNOTSUPP);
    }
    user::write(at, &[command, 1])?;
    Ok(0)
}

/// A name as user space has it in 16 bytes, of which the last counts as NUL.
fn name_of(bytes: &[u8; IFNAMSIZ]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(IFNAMSIZ - 1);
    &bytes[..end.min(IFNAMSIZ - 1)]
}
