//! The local address: `bind(2)`.

use super::{super::ip::IpSwitches, Inner, PORTS, State, TcpSocket, time_wait};
use abi::{Errno, Result};
use core::net::SocketAddrV4;

impl TcpSocket {
    /// Takes a port, and an address where one is named; `EINVAL` when it has them already.
    pub(super) fn bind_to(&self, wanted: SocketAddrV4) -> Result<()> {
        {
            let mut inner = self.inner.lock();
            if !inner.may_be_bound() {
                return Err(Errno::EINVAL);
            }
            if wanted.port() == 0 && self.ip.is_on(IpSwitches::BIND_ADDRESS_NO_PORT) {
                // The port is chosen when it is known what for.
                inner.local = wanted;
                inner.address_chosen = !wanted.ip().is_unspecified();
                return Ok(());
            }
        }
        self.bind_now(wanted)
    }

    /// The same with a port at once.
    pub(super) fn bind_now(&self, wanted: SocketAddrV4) -> Result<()> {
        let binding = match PORTS.bind(wanted, self.reuse()) {
            Err(Errno::EADDRINUSE) if time_wait::drop_all_expired() => {
                PORTS.bind(wanted, self.reuse())?
            }
            result => result?,
        };
        let mut inner = self.inner.lock();
        if !inner.may_be_bound() {
            drop(inner);
            drop(binding);
            return Err(Errno::EINVAL);
        }
        inner.local = SocketAddrV4::new(*wanted.ip(), binding.port());
        inner.binding = Some(binding);
        inner.address_chosen = !wanted.ip().is_unspecified();
        inner.port_chosen = wanted.port() != 0;
        Ok(())
    }
}

impl Inner {
    fn may_be_bound(&self) -> bool {
        self.state == State::Closed && self.binding.is_none()
    }
}
