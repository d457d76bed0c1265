//! The states of a connection (RFC 9293, 3.3.2), by the numbers that `tcp_info` and `/proc/net/tcp` show.
//!
//! Nothing is lost between two ends on one machine, and what is sent is acknowledged at once: the states that only wait
//! for an acknowledgement (`SYN_RECV`, `FIN_WAIT1`, `CLOSING`, `LAST_ACK`) are passed through unseen.

/// Where a socket stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// Both ends may send.
    Established = 1,
    /// The listener has not let the connection in yet.
    SynSent = 2,
    /// This end has sent all it will; the other end has not.
    FinWait2 = 5,
    /// Both ends are done; late segments would be met.
    TimeWait = 6,
    /// No connection.
    Closed = 7,
    /// The other end has sent all it will; this end has not.
    CloseWait = 8,
    /// Takes connections.
    Listen = 10,
}

impl State {
    /// Whether there is another end that would notice a reset.
    pub fn is_connected(self) -> bool {
        matches!(self, State::Established | State::FinWait2 | State::CloseWait)
    }

    /// Whether this end may still send.
    pub fn can_send(self) -> bool {
        matches!(self, State::Established | State::CloseWait)
    }
}
