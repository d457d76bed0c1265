//! Sockets.

use super::table::calls;
use crate::{
    fs::{File, FileDesc, IoSink, IoSource, OpenFlags},
    mm::{UserAddr, user},
    net::{
        self, Address, MessageFlags, ReceiveMessage, SendMessage, Shutdown, Socket, SocketFile,
        SocketType, UserCredentials,
        message::{ControlMessage, MAX_RIGHTS},
        options::{OptionValue, SOL_SOCKET},
        socket::{Waiting, broken_pipe, max_backlog, wait_for},
    },
    sched,
    time::{self, Instant, Timespec},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    socket => socket;
    socketpair => socketpair;
    bind => bind;
    listen => listen;
    accept => accept;
    accept4 => accept4;
    connect => connect;
    sendto => sendto;
    recvfrom => recvfrom;
    sendmsg => sendmsg;
    recvmsg => recvmsg;
    sendmmsg => sendmmsg;
    recvmmsg => recvmmsg;
    shutdown => shutdown;
    getsockname => getsockname;
    getpeername => getpeername;
    setsockopt => setsockopt;
    getsockopt => getsockopt;
}

/// The most that one call transfers.
const MAX_RW_COUNT: usize = 0x7fff_f000;
/// The longest address.
const MAX_ADDRESS: usize = 128;
/// The longest vector (`UIO_MAXIOV`).
const MAX_VECTOR: usize = 1024;
/// The longest control data that is looked at (`optmem_max`).
const MAX_CONTROL: usize = 20_480;

const SCM_RIGHTS: i32 = 1;
const SCM_CREDENTIALS: i32 = 2;

/// A C `int` argument.
fn int(arg: usize) -> i32 {
    (arg as u32).cast_signed()
}

/// Runs `f` with the open file of a socket; `EBADF`, `ENOTSOCK`.
fn with_socket<R>(
    fd: usize,
    f: impl FnOnce(&Arc<File>, &Arc<dyn Socket>) -> Result<R>,
) -> Result<R> {
    let task = sched::current();
    let files = task.files.borrow();
    let file = files.get(int(fd))?;
    let socket = &SocketFile::of(&file)?.socket;
    f(&file, socket)
}

/// The type and flags of `socket(2)`: `EINVAL` for flags that are not known.
fn split_type(arg: usize) -> Result<(SocketType, OpenFlags)> {
    let bits = arg as u32;
    let flags = OpenFlags::from_bits_retain(bits & !0xf);
    if !(flags - OpenFlags::NONBLOCK - OpenFlags::CLOEXEC).is_empty() {
        return Err(Errno::EINVAL);
    }
    Ok((SocketType::new(bits & 0xf)?, flags))
}

fn open(socket: Arc<dyn Socket>, flags: OpenFlags) -> Result<Arc<File>> {
    let ops = Arc::new(SocketFile { socket });
    File::anonymous("socket", OpenFlags::RDWR | (flags & OpenFlags::NONBLOCK), ops)
}

fn install(file: Arc<File>, flags: OpenFlags) -> Result<FileDesc> {
    sched::current().files.borrow().install(file, flags.contains(OpenFlags::CLOEXEC), 0)
}

fn socket(args: &[usize; 6]) -> Result<usize> {
    let &[family, kind, protocol, ..] = args;
    let (kind, flags) = split_type(kind)?;
    let socket = net::create(int(family), kind, int(protocol))?;
    Ok(install(open(socket, flags)?, flags)?.0 as usize)
}

fn socketpair(args: &[usize; 6]) -> Result<usize> {
    let &[family, kind, protocol, out, ..] = args;
    let (kind, flags) = split_type(kind)?;
    let (first, second) = net::create_pair(int(family), kind, int(protocol))?;
    let task = sched::current();
    let files = task.files.borrow();
    let cloexec = flags.contains(OpenFlags::CLOEXEC);
    // Numbers first, files last: a bad address leaves nothing behind.
    let (one, two) = (files.reserve(0)?, files.reserve(0)?);
    let (first, second) = (open(first, flags)?, open(second, flags)?);
    user::write(UserAddr(out), &[one.number().0, two.number().0])?;
    one.fill(first, cloexec);
    two.fill(second, cloexec);
    Ok(0)
}

/// An address argument; `EINVAL` when too long.
fn read_address(addr: usize, len: usize) -> Result<Address> {
    let len = usize::try_from(int(len)).map_err(|_| Errno::EINVAL)?;
    if len > MAX_ADDRESS {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; MAX_ADDRESS];
    user::copy_from_user(&mut bytes[..len], UserAddr(addr))?;
    Ok(bytes.iter().copied().take(len).collect())
}

/// Copies an address out, as much as the caller has room for, and its whole length.
fn write_address(addr: usize, len: usize, address: &Address) -> Result<()> {
    let room = usize::try_from(user::read::<i32>(UserAddr(len))?).map_err(|_| Errno::EINVAL)?;
    let count = room.min(address.len());
    user::copy_to_user(UserAddr(addr), &address[..count])?;
    user::write(UserAddr(len), &(address.len() as u32))
}

fn bind(args: &[usize; 6]) -> Result<usize> {
    let &[fd, addr, len, ..] = args;
    with_socket(fd, |_, socket| socket.bind(&read_address(addr, len)?))?;
    Ok(0)
}

fn connect(args: &[usize; 6]) -> Result<usize> {
    let &[fd, addr, len, ..] = args;
    with_socket(fd, |file, socket| {
        let address = read_address(addr, len)?;
        let waiting = Waiting::of(file, MessageFlags::empty(), socket.options().send_timeout());
        match wait_for(&**socket, waiting, |table| socket.connect(&address, waiting, table)) {
            Err(Errno::EAGAIN) => Err(socket.still_connecting()),
            result => result,
        }
    })?;
    Ok(0)
}

fn listen(args: &[usize; 6]) -> Result<usize> {
    let &[fd, backlog, ..] = args;
    // A negative backlog is a huge one.
    let backlog = (backlog as u32 as usize).min(max_backlog() as usize);
    with_socket(fd, |_, socket| socket.listen(backlog))?;
    Ok(0)
}

fn accept(args: &[usize; 6]) -> Result<usize> {
    let &[fd, addr, len, ..] = args;
    accept4(&[fd, addr, len, 0, 0, 0])
}

fn accept4(args: &[usize; 6]) -> Result<usize> {
    let &[fd, addr, len, flags, ..] = args;
    let flags = OpenFlags::from_bits_retain(flags as u32);
    if !(flags - OpenFlags::NONBLOCK - OpenFlags::CLOEXEC).is_empty() {
        return Err(Errno::EINVAL);
    }
    let connection = with_socket(fd, |file, socket| {
        let waiting = Waiting::of(file, MessageFlags::empty(), socket.options().receive_timeout());
        wait_for(&**socket, waiting, |_| socket.accept())
    })?;
    let peer = (addr != 0).then(|| connection.accepted_from());
    let file = open(connection, flags)?;
    if let Some(peer) = peer {
        write_address(addr, len, &peer.map_err(|_| Errno::ECONNABORTED)?)?;
    }
    Ok(install(file, flags)?.0 as usize)
}

fn shutdown(args: &[usize; 6]) -> Result<usize> {
    let &[fd, how, ..] = args;
    with_socket(fd, |_, socket| {
        let how = match int(how) {
            0 => Shutdown::RECEIVE,
            1 => Shutdown::SEND,
            2 => Shutdown::all(),
            _ => return Err(Errno::EINVAL),
        };
        socket.shutdown(how)
    })?;
    Ok(0)
}

fn getsockname(args: &[usize; 6]) -> Result<usize> {
    let &[fd, addr, len, ..] = args;
    let address = with_socket(fd, |_, socket| socket.local_address())?;
    write_address(addr, len, &address)?;
    Ok(0)
}

fn getpeername(args: &[usize; 6]) -> Result<usize> {
    let &[fd, addr, len, ..] = args;
    let address = with_socket(fd, |_, socket| socket.peer_address())?;
    write_address(addr, len, &address)?;
    Ok(0)
}

fn setsockopt(args: &[usize; 6]) -> Result<usize> {
    let &[fd, level, name, value, len, _] = args;
    with_socket(fd, |_, socket| {
        let len = usize::try_from(int(len)).map_err(|_| Errno::EINVAL)?;
        let mut bytes = [0; 32];
        let len = len.min(bytes.len());
        user::copy_from_user(&mut bytes[..len], UserAddr(value))?;
        match int(level) {
            SOL_SOCKET => socket.options().set(name as u32, &bytes[..len]),
            level => socket.set_option(level, name as u32, &bytes[..len]),
        }
    })?;
    Ok(0)
}

fn getsockopt(args: &[usize; 6]) -> Result<usize> {
    let &[fd, level, name, value, len, _] = args;
    with_socket(fd, |_, socket| {
        let room: i32 = user::read(UserAddr(len))?;
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
        let int_bytes;
        let option = match int(level) {
            SOL_SOCKET => socket.options().get(&**socket, name as u32)?,
            level => socket.option(level, name as u32)?,
        };
        let bytes = match &option {
            OptionValue::Int(int) => {
                int_bytes = int.to_ne_bytes();
                &int_bytes[..]
            }
            OptionValue::Bytes(bytes) => bytes,
        };
        let count = room.min(bytes.len());
        user::copy_to_user(UserAddr(value), &bytes[..count])?;
        user::write(UserAddr(len), &(count as u32))
    })?;
    Ok(0)
}

/// Sends all that there is to send, waiting as the file and the flags say. What went before an error counts.
fn send_all(
    file: &File,
    socket: &Arc<dyn Socket>,
    message: &mut SendMessage<'_, '_>,
) -> Result<usize> {
    let flags = message.flags;
    let waiting = Waiting::of(file, flags, socket.options().send_timeout());
    let mut sent = 0;
    loop {
        match wait_for(&**socket, waiting, |table| socket.send(message, table)) {
            Ok(count) => sent += count,
            Err(_) if sent > 0 => return Ok(sent),
            Err(error) => return broken_pipe(&**socket, Err(error), flags),
        }
        if message.data.remaining() == 0 || socket.kind() != SocketType::Stream {
            return Ok(sent);
        }
    }
}

/// Receives once, or until the buffer is full where that is asked for.
fn receive_some(
    file: &File,
    socket: &Arc<dyn Socket>,
    message: &mut ReceiveMessage<'_, '_>,
) -> Result<usize> {
    let stream = socket.kind() == SocketType::Stream;
    let waiting = Waiting::of(file, message.flags, socket.options().receive_timeout());
    let all = message.flags.contains(MessageFlags::WAITALL);
    let wanted = if all { message.data.remaining() } else { socket.options().low_water() };
    let peek = message.flags.contains(MessageFlags::PEEK);
    let mut received = 0;
    loop {
        match wait_for(&**socket, waiting, |_| socket.receive(message)) {
            Ok(0) => return Ok(received),
            Ok(count) => received += count,
            Err(_) if received > 0 => return Ok(received),
            Err(error) => return Err(error),
        }
        // Files in a message end what one call receives.
        let more = stream && !peek && message.rights.is_empty();
        if !more || received >= wanted || message.data.remaining() == 0 {
            return Ok(received);
        }
    }
}

fn sendto(args: &[usize; 6]) -> Result<usize> {
    let &[fd, buffer, len, flags, addr, addr_len] = args;
    with_socket(fd, |file, socket| {
        let address = if addr == 0 { None } else { Some(read_address(addr, addr_len)?) };
        let mut source = IoSource::user(UserAddr(buffer), len.min(MAX_RW_COUNT));
        let flags = MessageFlags::from_bits_retain(flags as u32);
        let mut message = SendMessage::new(&mut source, flags);
        message.address = address.as_deref();
        send_all(file, socket, &mut message)
    })
}

fn recvfrom(args: &[usize; 6]) -> Result<usize> {
    let &[fd, buffer, len, flags, addr, addr_len] = args;
    with_socket(fd, |file, socket| {
        let mut sink = IoSink::user(UserAddr(buffer), len.min(MAX_RW_COUNT));
        let flags = MessageFlags::from_bits_retain(flags as u32);
        let mut message = ReceiveMessage::new(&mut sink, flags);
        let count = receive_some(file, socket, &mut message)?;
        if addr != 0 {
            write_address(addr, addr_len, &message.address.unwrap_or_default())?;
        }
        Ok(count)
    })
}

/// `struct msghdr`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct MessageHeader {
    name: usize,
    name_len: i32,
    pad: u32,
    vector: usize,
    vector_len: usize,
    control: usize,
    control_len: usize,
    flags: u32,
    pad2: u32,
}

/// `struct mmsghdr`.
const MULTI_HEADER: usize = size_of::<MessageHeader>() + 8;

/// `struct iovec`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct IoVector {
    base: usize,
    len: usize,
}

/// `struct cmsghdr`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct ControlHeader {
    len: usize,
    level: i32,
    kind: i32,
}

const CONTROL_HEADER: usize = size_of::<ControlHeader>();

/// The start of the next control message after one of `len` bytes.
const fn control_align(len: usize) -> usize {
    (len + 7) & !7
}

/// The buffers of a message; `EMSGSIZE` for too many, `EINVAL` for a length that is negative. Bounded in all to what one call
/// transfers.
fn read_vector(header: &MessageHeader) -> Result<Vec<(UserAddr, usize)>> {
    if header.vector_len > MAX_VECTOR {
        return Err(Errno::EMSGSIZE);
    }
    let vector: Vec<IoVector> = user::read_array(UserAddr(header.vector), header.vector_len)?;
    let mut left = MAX_RW_COUNT;
    let mut out = Vec::new();
    out.try_reserve_exact(vector.len()).map_err(|_| Errno::ENOMEM)?;
    for part in vector {
        if part.len.cast_signed() < 0 {
            return Err(Errno::EINVAL);
        }
        let len = part.len.min(left);
        left -= len;
        out.push((UserAddr(part.base), len));
    }
    Ok(out)
}

/// What a sender puts beside the bytes.
#[derive(Default)]
struct Control {
    rights: Vec<Arc<File>>,
    credentials: Option<UserCredentials>,
    others: Vec<ControlMessage>,
}

fn read_control(header: &MessageHeader) -> Result<Control> {
    let mut control = Control::default();
    if header.control_len == 0 {
        return Ok(control);
    }
    if header.control_len > MAX_CONTROL {
        return Err(Errno::ENOBUFS);
    }
    let bytes: Vec<u8> = user::read_array(UserAddr(header.control), header.control_len)?;
    let mut rest = &bytes[..];
    while let Ok((head, _)) = ControlHeader::read_from_prefix(rest) {
        if head.len < CONTROL_HEADER || head.len > rest.len() {
            return Err(Errno::EINVAL);
        }
        let data = &rest[CONTROL_HEADER..head.len];
        if head.level != SOL_SOCKET {
            // The protocol's to understand.
            let (level, kind) = (head.level, head.kind);
            control.others.push(ControlMessage { level, kind, data: data.into() });
        } else {
            match head.kind {
                SCM_RIGHTS => read_rights(data, &mut control.rights)?,
                SCM_CREDENTIALS => {
                    let who = UserCredentials::read_from_bytes(data).map_err(|_| Errno::EINVAL)?;
                    who.check_claim()?;
                    control.credentials = Some(who);
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        rest = rest.get(control_align(head.len)..).unwrap_or_default();
    }
    Ok(control)
}

fn read_rights(data: &[u8], rights: &mut Vec<Arc<File>>) -> Result<()> {
    let task = sched::current();
    let files = task.files.borrow();
    let (numbers, _) = data.as_chunks::<4>();
    if rights.len() + numbers.len() > MAX_RIGHTS {
        return Err(Errno::EINVAL);
    }
    for number in numbers {
        let file = files.get_any(i32::from_ne_bytes(*number))?;
        rights.push(Arc::clone(&file));
    }
    Ok(())
}

fn send_message(file: &File, socket: &Arc<dyn Socket>, at: UserAddr, flags: u32) -> Result<usize> {
    let header: MessageHeader = user::read(at)?;
    let address = match header.name {
        0 => None,
        _ if header.name_len == 0 => None,
        name => {
            let len = usize::try_from(header.name_len).map_err(|_| Errno::EINVAL)?;
            Some(read_address(name, len.min(MAX_ADDRESS))?)
        }
    };
    let vector = read_vector(&header)?;
    let control = read_control(&header)?;
    let mut source = IoSource::user_vec(&vector);
    let flags = MessageFlags::from_bits_retain(flags);
    let mut message = SendMessage::new(&mut source, flags);
    message.address = address.as_deref();
    message.rights = control.rights;
    message.credentials = control.credentials;
    message.controls = &control.others;
    send_all(file, socket, &mut message)
}

fn sendmsg(args: &[usize; 6]) -> Result<usize> {
    let &[fd, header, flags, ..] = args;
    with_socket(fd, |file, socket| send_message(file, socket, UserAddr(header), flags as u32))
}

/// Writes control messages into the room that a receiver has for them.
struct ControlWriter {
    at: UserAddr,
    room: usize,
    used: usize,
    truncated: bool,
}

impl ControlWriter {
    /// One message, cut short where there is no room.
    fn put(&mut self, level: i32, kind: i32, data: &[u8]) -> Result<()> {
        if self.room < CONTROL_HEADER {
            self.truncated = true;
            return Ok(());
        }
        let mut len = CONTROL_HEADER + data.len();
        if len > self.room {
            self.truncated = true;
            len = self.room;
        }
        let head = ControlHeader { len, level, kind };
        user::write(self.at, &head)?;
        user::copy_to_user(self.at.add(CONTROL_HEADER), &data[..len - CONTROL_HEADER])?;
        let step = control_align(len).min(self.room);
        self.at = self.at.add(step);
        self.room -= step;
        self.used += step;
        Ok(())
    }

    /// Opens descriptors for the files that came along, as many as there is room for.
    fn put_rights(&mut self, rights: Vec<Arc<File>>, cloexec: bool) -> Result<()> {
        let fits = self.room.saturating_sub(CONTROL_HEADER) / size_of::<u32>();
        let (count, task) = (rights.len(), sched::current());
        let files = task.files.borrow();
        let mut numbers = Vec::new();
        for file in rights.into_iter().take(fits) {
            // What the table cannot take is closed again, and the receiver told.
            match files.install(file, cloexec, 0) {
                Ok(fd) => numbers.push(fd.0),
                Err(_) => break,
            }
        }
        self.truncated |= numbers.len() < count;
        if numbers.is_empty() {
            return Ok(());
        }
        self.put(SOL_SOCKET, SCM_RIGHTS, numbers.as_bytes())
    }
}

fn receive_message(
    file: &File,
    socket: &Arc<dyn Socket>,
    at: UserAddr,
    flags: u32,
) -> Result<usize> {
    let header: MessageHeader = user::read(at)?;
    if header.name != 0 && header.name_len < 0 {
        return Err(Errno::EINVAL);
    }
    let vector = read_vector(&header)?;
    let mut sink = IoSink::user_vec(&vector);
    let flags = MessageFlags::from_bits_retain(flags);
    let mut others = Vec::new();
    let mut message = ReceiveMessage::new(&mut sink, flags);
    message.controls = Some(&mut others);
    let count = receive_some(file, socket, &mut message)?;

    let mut control = ControlWriter {
        at: UserAddr(header.control),
        room: if header.control == 0 { 0 } else { header.control_len },
        used: 0,
        truncated: false,
    };
    let cloexec = flags.contains(MessageFlags::CMSG_CLOEXEC);
    if let Some(who) = message.credentials {
        control.put(SOL_SOCKET, SCM_CREDENTIALS, who.as_bytes())?;
    }
    for other in message.controls.iter().flat_map(|controls| controls.iter()) {
        control.put(other.level, other.kind, &other.data)?;
    }
    if !message.rights.is_empty() {
        control.put_rights(core::mem::take(&mut message.rights), cloexec)?;
    }
    let mut result_flags = message.result_flags;
    result_flags.set(MessageFlags::CTRUNC, control.truncated);
    result_flags.set(MessageFlags::CMSG_CLOEXEC, cloexec);
    let name_len = at.add(core::mem::offset_of!(MessageHeader, name_len));
    if header.name != 0 {
        write_address(header.name, name_len.0, &message.address.unwrap_or_default())?;
    }
    user::write(at.add(core::mem::offset_of!(MessageHeader, flags)), &result_flags.bits())?;
    let control_len = at.add(core::mem::offset_of!(MessageHeader, control_len));
    user::write(control_len, &control.used)?;
    Ok(count)
}

fn recvmsg(args: &[usize; 6]) -> Result<usize> {
    let &[fd, header, flags, ..] = args;
    with_socket(fd, |file, socket| receive_message(file, socket, UserAddr(header), flags as u32))
}

/// Where the length of the message at `index` goes, and its header.
fn multi_header(base: usize, index: usize) -> (UserAddr, UserAddr) {
    let header = UserAddr(base).add(index * MULTI_HEADER);
    (header, header.add(size_of::<MessageHeader>()))
}

fn sendmmsg(args: &[usize; 6]) -> Result<usize> {
    let &[fd, headers, count, flags, ..] = args;
    let count = (count as u32 as usize).min(MAX_VECTOR);
    with_socket(fd, |file, socket| {
        let mut done = 0;
        while done < count {
            let (header, len) = multi_header(headers, done);
            let one = send_message(file, socket, header, flags as u32)
                .and_then(|sent| user::write(len, &(sent as u32)));
            match one {
                Ok(()) => done += 1,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    })
}

fn recvmmsg(args: &[usize; 6]) -> Result<usize> {
    let &[fd, headers, count, flags, timeout, _] = args;
    let count = (count as u32 as usize).min(MAX_VECTOR);
    let deadline: Option<Instant> = match UserAddr(timeout) {
        addr if addr.is_null() => None,
        addr => {
            let timeout = user::read::<Timespec>(addr)?.to_duration()?;
            Some(time::monotonic().after(timeout))
        }
    };
    with_socket(fd, |file, socket| {
        let mut flags = MessageFlags::from_bits_retain(flags as u32);
        let once = flags.contains(MessageFlags::WAITFORONE);
        flags -= MessageFlags::WAITFORONE;
        let mut done = 0;
        while done < count {
            let (header, len) = multi_header(headers, done);
            let one = receive_message(file, socket, header, flags.bits())
                .and_then(|received| user::write(len, &(received as u32)));
            match one {
                Ok(()) => done += 1,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
            if once {
                flags |= MessageFlags::DONTWAIT;
            }
            // As on Linux the time limit is looked at between messages only.
            if deadline.is_some_and(|deadline| time::monotonic() >= deadline) {
                break;
            }
        }
        Ok(done)
    })
}
