//! What every socket can do, the open file that a socket is, and the one place where socket calls wait.

use super::{
    AF_INET, MessageFlags, Options, ReceiveMessage, SendMessage, UserCredentials, device,
    options::OptionValue,
};
use crate::{
    fs::{File, FileOps, IoSink, IoSource, pipe::Buffer},
    process::signal::{self, SigInfo, Signal},
    sched,
    sync::{PollEvents, PollTable},
    time::{self, Duration, Instant},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicU32, Ordering};

/// The longest queue of connections (`net.core.somaxconn`).
static MAX_BACKLOG: AtomicU32 = AtomicU32::new(4096);

/// The longest queue of connections that `listen(2)` makes.
pub fn max_backlog() -> u32 {
    MAX_BACKLOG.load(Ordering::Relaxed)
}

/// Changes it.
pub fn set_max_backlog(most: u32) {
    MAX_BACKLOG.store(most, Ordering::Relaxed);
}

/// `SOCK_*` types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum SocketType {
    /// `SOCK_STREAM`.
    Stream = 1,
    /// `SOCK_DGRAM`.
    Datagram = 2,
    /// `SOCK_RAW`.
    Raw = 3,
    /// `SOCK_RDM`.
    ReliableDatagram = 4,
    /// `SOCK_SEQPACKET`.
    SeqPacket = 5,
    /// A type that the kernel knows of, but no family here has.
    Unsupported = 6,
}

impl SocketType {
    /// From its number; `EINVAL` when there is no such type.
    pub fn new(number: u32) -> Result<SocketType> {
        Ok(match number {
            1 => SocketType::Stream,
            2 => SocketType::Datagram,
            3 => SocketType::Raw,
            4 => SocketType::ReliableDatagram,
            5 => SocketType::SeqPacket,
            0 | 6..=10 => SocketType::Unsupported,
            _ => return Err(Errno::EINVAL),
        })
    }
}

bitflags::bitflags! {
    /// The directions that `shutdown(2)` closes.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Shutdown: u8 {
        const RECEIVE = 1;
        const SEND = 2;
    }
}

/// A socket address as user space sees it: the family, then what the family puts there.
pub type Address = ArrayVec<u8, 128>;

/// A socket. All operations are of the try form: `EAGAIN` where they would wait. Addresses are as user space gave them.
#[expect(unused_variables, reason = "defaults refuse")]
pub trait Socket: Send + Sync {
    /// `AF_*`.
    fn family(&self) -> u16;
    /// `SOCK_*`.
    fn kind(&self) -> SocketType;
    /// `IPPROTO_*`.
    fn protocol(&self) -> i32 {
        0
    }
    /// The options that every socket has.
    fn options(&self) -> &Options;
    /// `bind(2)`.
    fn bind(&self, address: &[u8]) -> Result<()>;
    /// `connect(2)`. When it must wait it registers `table` on what it waits for. `waiting` is how the caller will.
    fn connect(&self, address: &[u8], waiting: Waiting, table: &mut PollTable) -> Result<()>;
    /// What a caller is told who does not wait (any longer) for its connection.
    fn still_connecting(&self) -> Errno {
        Errno::EAGAIN
    }
    /// `listen(2)`.
    fn listen(&self, backlog: usize) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }
    /// `accept(2)`.
    fn accept(&self) -> Result<Arc<dyn Socket>> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Who connected, of a socket that was just accepted.
    fn accepted_from(&self) -> Result<Address> {
        self.peer_address()
    }
    /// Sends what there is room for; how many bytes. When it must wait for what `poll` does not tell of (the room of a
    /// destination that the message names) it registers `table` there.
    fn send(&self, message: &mut SendMessage<'_, '_>, table: &mut PollTable) -> Result<usize>;
    /// Receives what is there; how many bytes.
    fn receive(&self, message: &mut ReceiveMessage<'_, '_>) -> Result<usize>;
    /// Takes up to `count` bytes off a stream in at most `most` references to pages; none at its end. `EOPNOTSUPP` for sockets whose
    /// bytes have to be copied.
    fn take_pages(&self, count: usize, most: usize) -> Result<Vec<Buffer>> {
        Err(Errno::EOPNOTSUPP)
    }
    /// `shutdown(2)`.
    fn shutdown(&self, how: Shutdown) -> Result<()>;
    /// `getsockname(2)`.
    fn local_address(&self) -> Result<Address>;
    /// `getpeername(2)`.
    fn peer_address(&self) -> Result<Address>;
    /// Events now; registers on the queues that will tell of more.
    fn poll(&self, table: &mut PollTable) -> PollEvents;
    /// The pending error, which is taken.
    fn take_error(&self) -> Option<Errno>;
    /// Whether it listens.
    fn is_listening(&self) -> bool {
        false
    }
    /// Who is at the other end.
    fn peer_credentials(&self) -> UserCredentials {
        UserCredentials::NOBODY
    }
    /// `setsockopt(2)` at other levels than `SOL_SOCKET`.
    fn set_option(&self, level: i32, name: u32, value: &[u8]) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }
    /// `getsockopt(2)` at other levels than `SOL_SOCKET`.
    fn option(&self, level: i32, name: u32) -> Result<OptionValue> {
        Err(Errno::EOPNOTSUPP)
    }
    /// The open file that it is has this inode number.
    fn opened(&self, inode: u64) {}
    /// `ioctl(2)`, what the family alone answers; `ENOTTY`.
    fn ioctl(&self, command: u32, argument: usize) -> Result<usize> {
        Err(Errno::ENOTTY)
    }
    /// The last descriptor is closed.
    fn release(&self);
}

/// A socket as an open file.
pub struct SocketFile {
    /// The socket.
    pub socket: Arc<dyn Socket>,
}

impl SocketFile {
    /// The socket behind an open file; `ENOTSOCK`.
    pub fn of(file: &File) -> Result<&SocketFile> {
        file.ops().as_any().downcast_ref().ok_or(Errno::ENOTSOCK)
    }
}

impl FileOps for SocketFile {
    fn read(&self, _file: &File, dst: &mut IoSink<'_>, _offset: &mut u64) -> Result<usize> {
        if dst.remaining() == 0 {
            return Ok(0);
        }
        self.socket.receive(&mut ReceiveMessage::new(dst, MessageFlags::empty()))
    }

    fn write(&self, _file: &File, src: &mut IoSource<'_>, _offset: &mut u64) -> Result<usize> {
        let mut message = SendMessage::new(src, MessageFlags::empty());
        let result = self.socket.send(&mut message, &mut PollTable::look());
        broken_pipe(&*self.socket, result, MessageFlags::empty())
    }

    fn take_pages(&self, _file: &File, count: usize, most: usize) -> Result<Vec<Buffer>> {
        self.socket.take_pages(count, most)
    }

    fn read_deadline(&self, _file: &File, started: Instant) -> Option<Instant> {
        self.socket.options().receive_timeout().map(|timeout| started.after(timeout))
    }

    fn read_late(&self, _file: &File, _dst: &mut IoSink<'_>) -> Result<usize> {
        Err(Errno::EAGAIN)
    }

    fn write_deadline(&self, _file: &File, started: Instant) -> Option<Instant> {
        self.socket.options().send_timeout().map(|timeout| started.after(timeout))
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        self.socket.poll(table)
    }

    fn ioctl(&self, _file: &File, command: u32, argument: usize) -> Result<usize> {
        match self.socket.ioctl(command, argument) {
            Err(Errno::ENOTTY) if self.socket.family() == AF_INET => {
                device::ioctl(command, argument)
            }
            Err(Errno::ENOTTY) => device::ioctl::any_socket(command, argument),
            result => result,
        }
    }

    fn opened(&self, file: &File) {
        self.socket.opened(file.inode().ino());
    }

    fn release(&self, _file: &File) {
        self.socket.release();
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Sends SIGPIPE when a send found nobody at the other end of a connection, unless the caller does not want it.
#[inline]
pub fn broken_pipe<T>(socket: &dyn Socket, result: Result<T>, flags: MessageFlags) -> Result<T> {
    if matches!(result, Err(Errno::EPIPE))
        && !flags.contains(MessageFlags::NOSIGNAL)
        && socket.kind() != SocketType::Datagram
    {
        let task = sched::current().to_arc();
        let info = SigInfo::from_current(Signal::SIGPIPE, signal::code::SI_USER);
        // A standard signal always finds room.
        let _ = signal::send_task(&task, info);
    }
    result
}

/// How a socket call waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Not at all.
    Never,
    /// For at most so long.
    For(Duration),
    /// Until it is done.
    Forever,
}

impl Waiting {
    /// As the file, the flags of the call and the socket's time-out say.
    pub fn of(file: &File, flags: MessageFlags, timeout: Option<Duration>) -> Waiting {
        let nonblocking = file.flags().contains(crate::fs::OpenFlags::NONBLOCK);
        match timeout {
            _ if nonblocking || flags.contains(MessageFlags::DONTWAIT) => Waiting::Never,
            Some(timeout) => Waiting::For(timeout),
            None => Waiting::Forever,
        }
    }
}

/// Runs a try operation until it no longer says `EAGAIN`, sleeping on the socket's queues. `EAGAIN` when the time is up;
/// a signal restarts the call only if it had no time limit.
pub fn wait_for<R>(
    socket: &dyn Socket,
    waiting: Waiting,
    mut attempt: impl FnMut(&mut PollTable) -> Result<R>,
) -> Result<R> {
    let first = attempt(&mut PollTable::look());
    if !matches!(first, Err(Errno::EAGAIN)) || waiting == Waiting::Never {
        return first;
    }
    let deadline = match waiting {
        Waiting::For(timeout) => Some(time::monotonic().after(timeout)),
        _ => None,
    };
    let interrupted = |error| match error {
        Errno::ERESTARTSYS if deadline.is_some() => Errno::EINTR,
        error => error,
    };
    // Register first, look again after: no wake-up is lost between the two.
    let mut table = PollTable::for_current();
    socket.poll(&mut table);
    loop {
        let result = attempt(&mut table);
        table.stop_registering();
        if !matches!(result, Err(Errno::EAGAIN)) {
            return result;
        }
        if !table.wait(deadline).map_err(interrupted)? {
            return attempt(&mut table);
        }
    }
}
