//! poll, select, epoll.

use super::table::calls;
use crate::{
    fs::{
        FileRef, OpenFlags,
        epoll::{self, Control, Interest},
        poll::{self, FdSets, PollFd},
    },
    mm::{UserAddr, user},
    process::{
        Resource,
        signal::{self, SignalSet},
    },
    sched,
    time::{Duration, Instant, Timespec},
};
use abi::{Errno, Result, general};
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    poll => poll;
    ppoll => ppoll;
    select => select;
    pselect6 => pselect6;
    epoll_create => epoll_create;
    epoll_create1 => epoll_create1;
    epoll_ctl => epoll_ctl;
    epoll_wait => epoll_wait;
    epoll_pwait => epoll_pwait;
    epoll_pwait2 => epoll_pwait2;
}

/// `struct epoll_event`: packed on x86-64.
#[repr(C, packed)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct EpollEvent {
    events: u32,
    data: u64,
}

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Timeval {
    tv_sec: i64,
    tv_usec: i64,
}

/// A wait without handlers run is restarted; one that a handler interrupted is `EINTR`.
fn no_hand(errno: Errno) -> Errno {
    if errno == Errno::ERESTARTSYS { Errno::ERESTARTNOHAND } else { errno }
}

/// A time-out in milliseconds, negative for ever.
fn deadline_ms(ms: i32) -> Option<Instant> {
    u64::try_from(ms).ok().map(|ms| Instant::in_time(Duration::from_millis(ms)))
}

fn do_poll(addr: UserAddr, count: usize, deadline: Option<Instant>) -> Result<usize> {
    let current = sched::current();
    if count as u64 > current.process.limits().soft(Resource::OpenFiles) {
        return Err(Errno::EINVAL);
    }
    let mut fds = user::read_array::<PollFd>(addr, count)?;
    let found = poll::poll(&current.files.borrow(), &mut fds, deadline)?;
    for (i, entry) in fds.iter().enumerate() {
        user::write(addr.add(i * size_of::<PollFd>() + 6), &entry.revents)?;
    }
    Ok(found)
}

/// `poll(2)`.
fn poll(args: &[usize; 6]) -> Result<usize> {
    let deadline = deadline_ms(args[2] as i32);
    let result = do_poll(UserAddr(args[0]), args[1] as u32 as usize, deadline);
    match result {
        Err(Errno::ERESTARTSYS) => {
            let (addr, count) = (args[0], args[1]);
            Err(signal::restart_with(move || {
                do_poll(UserAddr(addr), count as u32 as usize, deadline)
            }))
        }
        other => other,
    }
}

/// `ppoll(2)`.
fn ppoll(args: &[usize; 6]) -> Result<usize> {
    let timeout = Timeout::read(UserAddr(args[2]))?;
    let mask = read_mask(UserAddr(args[3]), args[4])?;
    let result = signal::with_temporary_mask(mask, || {
        do_poll(UserAddr(args[0]), args[1] as u32 as usize, timeout.deadline)
    });
    timeout.write_back();
    result.map_err(no_hand)
}

/// The signal set at `addr`, if any; `EINVAL` for a set of another size.
fn read_mask(addr: UserAddr, size: usize) -> Result<Option<SignalSet>> {
    if addr.is_null() {
        return Ok(None);
    }
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    Ok(Some(SignalSet(user::read(addr)?)))
}

/// A relative time-out that Linux updates with what is left of it.
struct Timeout {
    addr: UserAddr,
    deadline: Option<Instant>,
}

impl Timeout {
    fn read(addr: UserAddr) -> Result<Timeout> {
        let deadline = match addr.is_null() {
            true => None,
            false => Some(Instant::in_time(user::read::<Timespec>(addr)?.to_duration()?)),
        };
        Ok(Timeout { addr, deadline })
    }

    /// A time-out in memory that cannot be written stays as it is, as on Linux.
    fn write_back(&self) {
        if let Some(deadline) = self.deadline {
            let left = Timespec::from_nanos(deadline.left().as_nanos() as i128);
            let _ = user::write(self.addr, &left);
        }
    }
}

fn do_select(args: &[usize; 6], deadline: Option<Instant>) -> Result<usize> {
    /// More than any descriptor table can hold.
    const MOST: usize = 1 << 20;
    let count = usize::try_from(args[0] as i32).map_err(|_| Errno::EINVAL)?.min(MOST);
    let words = count.div_ceil(64);
    let mut wanted = FdSets::with_words(words)?;
    for (&addr, set) in args[1..4].iter().zip(wanted.each_mut()) {
        if addr != 0 {
            user::copy_from_user(set.as_mut_bytes(), UserAddr(addr))?;
        }
    }
    let current = sched::current();
    let (found, bits) = poll::select(&current.files.borrow(), &wanted, count, deadline)?;
    for (&addr, set) in args[1..4].iter().zip(found.each()) {
        if addr != 0 {
            user::copy_to_user(UserAddr(addr), set.as_bytes())?;
        }
    }
    Ok(bits)
}

/// `select(2)`.
fn select(args: &[usize; 6]) -> Result<usize> {
    let addr = UserAddr(args[4]);
    let deadline = if addr.is_null() {
        None
    } else {
        let timeout: Timeval = user::read(addr)?;
        let micros = timeout.tv_usec;
        if timeout.tv_sec < 0 || micros < 0 {
            return Err(Errno::EINVAL);
        }
        let seconds = timeout.tv_sec.saturating_add(micros / 1_000_000);
        let rest = Duration::from_micros((micros % 1_000_000) as u64);
        Some(Instant::in_time(Duration::from_secs(seconds as u64).saturating_add(rest)))
    };
    let result = do_select(args, deadline);
    if let Some(deadline) = deadline {
        let left = deadline.left();
        let left =
            Timeval { tv_sec: left.as_secs() as i64, tv_usec: i64::from(left.subsec_micros()) };
        let _ = user::write(addr, &left);
    }
    result.map_err(no_hand)
}

/// `pselect6(2)`: the sixth argument points to the mask's address and size.
fn pselect6(args: &[usize; 6]) -> Result<usize> {
    let timeout = Timeout::read(UserAddr(args[4]))?;
    let mask = match args[5] {
        0 => None,
        pair => {
            let [addr, size] = user::read::<[usize; 2]>(UserAddr(pair))?;
            read_mask(UserAddr(addr), size)?
        }
    };
    let result = signal::with_temporary_mask(mask, || do_select(args, timeout.deadline));
    timeout.write_back();
    result.map_err(no_hand)
}

/// `epoll_create(2)`.
fn epoll_create(args: &[usize; 6]) -> Result<usize> {
    if args[0] as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    epoll_create1(&[0; 6])
}

/// `epoll_create1(2)`.
fn epoll_create1(args: &[usize; 6]) -> Result<usize> {
    let flags = args[0] as u32;
    if flags & !general::EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    let cloexec = flags & OpenFlags::CLOEXEC.bits() != 0;
    let current = sched::current();
    let fd = current.files.borrow().install(epoll::new_epoll()?, cloexec, 0)?;
    Ok(fd.0 as usize)
}

/// `epoll_ctl(2)`.
fn epoll_ctl(args: &[usize; 6]) -> Result<usize> {
    let interest = || -> Result<Interest> {
        let event: EpollEvent = user::read(UserAddr(args[3]))?;
        Ok(Interest::from_user(event.events, event.data))
    };
    let what = match args[1] as u32 {
        general::EPOLL_CTL_ADD => Control::Add(interest()?),
        general::EPOLL_CTL_MOD => Control::Modify(interest()?),
        general::EPOLL_CTL_DEL => Control::Remove,
        _ => {
            let _ = interest()?;
            return Err(Errno::EINVAL);
        }
    };
    let current = sched::current();
    let files = current.files.borrow();
    let instance = files.get(args[0] as i32)?;
    let fd = args[2] as i32;
    let file = files.get(fd)?;
    epoll::control(&instance, &file, fd, what)?;
    Ok(0)
}

fn do_epoll_wait(args: &[usize; 6], deadline: Option<Instant>) -> Result<usize> {
    /// `EP_MAX_EVENTS`.
    const MOST: usize = i32::MAX as usize / size_of::<EpollEvent>();
    /// Events handed over by one call; the next call brings the rest.
    const BATCH: usize = 4096;
    let max = usize::try_from(args[2] as i32).ok().filter(|max| (1..=MOST).contains(max));
    let max = max.ok_or(Errno::EINVAL)?;
    let current = sched::current();
    let files = current.files.borrow();
    let file: FileRef<'_> = files.get(args[0] as i32)?;
    let ready = epoll::of_file(&file)?.wait(max.min(BATCH), deadline)?;
    for (i, event) in ready.iter().enumerate() {
        let event = EpollEvent { events: event.events.bits(), data: event.data };
        user::write(UserAddr(args[1]).add(i * size_of::<EpollEvent>()), &event)?;
    }
    Ok(ready.len())
}

/// `epoll_wait(2)`.
fn epoll_wait(args: &[usize; 6]) -> Result<usize> {
    do_epoll_wait(args, deadline_ms(args[3] as i32))
}

/// `epoll_pwait(2)`.
fn epoll_pwait(args: &[usize; 6]) -> Result<usize> {
    let mask = read_mask(UserAddr(args[4]), args[5])?;
    let deadline = deadline_ms(args[3] as i32);
    signal::with_temporary_mask(mask, || do_epoll_wait(args, deadline))
}

/// `epoll_pwait2(2)`.
fn epoll_pwait2(args: &[usize; 6]) -> Result<usize> {
    let deadline = match args[3] {
        0 => None,
        addr => Some(Instant::in_time(user::read::<Timespec>(UserAddr(addr))?.to_duration()?)),
    };
    let mask = read_mask(UserAddr(args[4]), args[5])?;
    signal::with_temporary_mask(mask, || do_epoll_wait(args, deadline))
}
