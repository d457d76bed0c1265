//! POSIX message queues.

use super::{
    files::with_file,
    table::calls,
    time::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, Sigevent},
};
use crate::{
    fs::{FdTable, FileMode, OpenFlags, fd_table::FileDesc},
    ipc::mqueue::{self, Event},
    mm::{UserAddr, user},
    process::signal::Signal,
    sched,
    time::Timespec,
};
use abi::{Errno, Result, mqueue::MqAttr};
use alloc::vec::Vec;

calls! {
    mq_open => mq_open;
    mq_unlink => mq_unlink;
    mq_timedsend => mq_timedsend;
    mq_timedreceive => mq_timedreceive;
    mq_notify => mq_notify;
    mq_getsetattr => mq_getsetattr;
}

/// A name without its slash; `ENOENT` when empty.
fn read_name(addr: usize) -> Result<Vec<u8>> {
    let name = user::read_path(UserAddr(addr))?;
    if name.is_empty() { Err(Errno::ENOENT) } else { Ok(name) }
}

/// `mq_open(2)`.
fn mq_open(args: &[usize; 6]) -> Result<usize> {
    let &[name, flags, mode, attributes, ..] = args;
    let size = match attributes {
        0 => None,
        addr => {
            let attributes: MqAttr = user::read(UserAddr(addr))?;
            Some((attributes.maxmsg, attributes.msgsize))
        }
    };
    let name = read_name(name)?;
    let flags = OpenFlags::from_bits_truncate(flags as u32);
    let task = sched::current();
    let files: &FdTable = &task.files.borrow();
    let reserved = files.reserve(0)?;
    let file = mqueue::open(&name, flags, FileMode::from_raw(mode as u32), size)?;
    let FileDesc(fd) = reserved.fill(file, true);
    Ok(fd as usize)
}

/// `mq_unlink(2)`.
fn mq_unlink(args: &[usize; 6]) -> Result<usize> {
    mqueue::unlink(&read_name(args[0])?).map(|()| 0)
}

/// Until which time on the wall clock to wait; none: for ever.
fn read_limit(addr: usize) -> Result<Option<Timespec>> {
    if addr == 0 {
        return Ok(None);
    }
    let at: Timespec = user::read(UserAddr(addr))?;
    at.to_duration()?;
    Ok(Some(at))
}

/// `mq_timedsend(2)`.
fn mq_timedsend(args: &[usize; 6]) -> Result<usize> {
    let &[fd, text, length, priority, timeout, _] = args;
    let until = read_limit(timeout)?;
    let priority = priority as u32;
    mqueue::check_priority(priority)?;
    with_file(fd, |file| mqueue::send(file, UserAddr(text), length, priority, until))?;
    Ok(0)
}

/// `mq_timedreceive(2)`.
fn mq_timedreceive(args: &[usize; 6]) -> Result<usize> {
    let &[fd, text, room, priority, timeout, _] = args;
    let until = read_limit(timeout)?;
    let message = with_file(fd, |file| mqueue::receive(file, room, until))?;
    if priority != 0 {
        user::write(UserAddr(priority), &message.priority)?;
    }
    user::copy_to_user(UserAddr(text), &message.text)?;
    Ok(message.text.len())
}

/// `mq_notify(2)`.
fn mq_notify(args: &[usize; 6]) -> Result<usize> {
    let &[fd, event, ..] = args;
    let event = match event {
        0 => None,
        addr => Some(event_of(user::read(UserAddr(addr))?)?),
    };
    with_file(fd, |file| mqueue::notify(file, event)).map(|()| 0)
}

fn event_of(event: Sigevent) -> Result<Event> {
    match event.notify {
        SIGEV_NONE => Ok(Event::Nothing),
        SIGEV_SIGNAL => {
            let number = usize::try_from(event.signal).map_err(|_| Errno::EINVAL)?;
            let signal = Signal::new(number);
            // Zero is no signal, and is let through.
            if signal.is_none() && number != 0 {
                return Err(Errno::EINVAL);
            }
            Ok(Event::Signal(signal, event.value))
        }
        SIGEV_THREAD => Err(mqueue::refuse_thread(UserAddr(event.value as usize), event.signal)),
        _ => Err(Errno::EINVAL),
    }
}

/// `mq_getsetattr(2)`.
fn mq_getsetattr(args: &[usize; 6]) -> Result<usize> {
    let &[fd, new, old, ..] = args;
    let new: Option<MqAttr> = match new {
        0 => None,
        addr => Some(user::read(UserAddr(addr))?),
    };
    mqueue::check_attributes(new.as_ref())?;
    let attributes = with_file(fd, |file| mqueue::attributes(file, new.as_ref()))?;
    if old != 0 {
        user::write(UserAddr(old), &attributes)?;
    }
    Ok(0)
}
