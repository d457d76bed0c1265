//! Address spaces: mmap, munmap, mprotect, brk, mremap, madvise and their family.

use super::table::calls;
use crate::{
    fs::File,
    mm::{
        self, Advice, LockMode, MapKind, MapRequest, MmapFlags, PAGE_SIZE, Prot, RemapFlags,
        USER_END, UserAddr, user,
    },
    process::{self, Capability, InspectAs, Pid, Task, pid, pidfd},
    sched,
};
use abi::{Errno, Result, general};
use alloc::{sync::Arc, vec::Vec};

calls! {
    mmap => mmap;
    munmap => munmap;
    mprotect => mprotect;
    brk => brk;
    mremap => mremap;
    madvise => madvise;
    msync => msync;
    mincore => mincore;
    mlock => mlock;
    mlock2 => mlock2;
    munlock => munlock;
    mlockall => mlockall;
    munlockall => munlockall;
    process_vm_readv => process_vm_readv;
    process_vm_writev => process_vm_writev;
    process_madvise => process_madvise;
    process_mrelease => process_mrelease;
    remap_file_pages => remap_file_pages;
    mseal => mseal;
}

/// `mmap(2)`.
fn mmap(args: &[usize; 6]) -> Result<usize> {
    let &[addr, len, prot, flags, fd, offset] = args;
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    // Unknown bits are ignored, except by MAP_SHARED_VALIDATE.
    let flags = MmapFlags::from_bits_retain(flags as u32);
    let current = sched::current();
    let kind = if flags.contains(MmapFlags::ANONYMOUS) {
        if flags.bits() & general::MAP_HUGETLB != 0 {
            // As on a machine that has set no huge pages aside.
            return Err(Errno::ENOMEM);
        }
        MapKind::Anonymous
    } else {
        let files = current.files.borrow();
        let found = files.get(fd as i32)?;
        let file: Arc<File> = Arc::clone(&found);
        if flags.bits() & general::MAP_HUGETLB != 0 {
            return Err(Errno::EINVAL);
        }
        MapKind::File(file, offset as u64)
    };
    let prot = Prot::from_bits_truncate(prot as u32);
    let request = MapRequest { addr, len, prot, flags, kind };
    current.mm.borrow().map(request).map(|addr| addr.0)
}

/// `munmap(2)`.
fn munmap(args: &[usize; 6]) -> Result<usize> {
    sched::current().mm.borrow().unmap(args[0], args[1])?;
    Ok(0)
}

/// `mprotect(2)`.
fn mprotect(args: &[usize; 6]) -> Result<usize> {
    let &[addr, len, prot, ..] = args;
    let prot = prot as u32;
    let grows = prot & (general::PROT_GROWSDOWN | general::PROT_GROWSUP);
    if grows == general::PROT_GROWSDOWN | general::PROT_GROWSUP {
        return Err(Errno::EINVAL);
    }
    let space = mm::current_space()?;
    if addr.is_multiple_of(PAGE_SIZE) && len == 0 {
        return Ok(0);
    }
    let known = Prot::all().bits() | general::PROT_SEM;
    if prot & !grows & !known != 0 || grows == general::PROT_GROWSUP {
        return Err(Errno::EINVAL);
    }
    let prot = Prot::from_bits_truncate(prot);
    space.protect(addr, len, prot, grows != 0)?;
    Ok(0)
}

/// `brk(2)`.
fn brk(args: &[usize; 6]) -> Result<usize> {
    Ok(sched::current().mm.borrow().brk(args[0]))
}

/// `mremap(2)`.
fn mremap(args: &[usize; 6]) -> Result<usize> {
    let &[addr, old_len, new_len, flags, new_addr, _] = args;
    let flags = u32::try_from(flags).ok().and_then(RemapFlags::from_bits).ok_or(Errno::EINVAL)?;
    sched::current().mm.borrow().remap(addr, old_len, new_len, flags, new_addr)
}

/// `remap_file_pages(2)`.
fn remap_file_pages(args: &[usize; 6]) -> Result<usize> {
    let &[addr, size, prot, first, flags, _] = args;
    let (start, size) = (addr & !(PAGE_SIZE - 1), size & !(PAGE_SIZE - 1));
    let first = first as u64;
    let end = first.checked_add((size / PAGE_SIZE) as u64).ok_or(Errno::EINVAL)?;
    if prot != 0 || start.wrapping_add(size) <= start {
        return Err(Errno::EINVAL);
    }
    let nonblock = MmapFlags::from_bits_retain(flags as u32).contains(MmapFlags::NONBLOCK);
    mm::current_space()?.remap_pages(start, first..end, nonblock)?;
    Ok(0)
}

/// `mseal(2)`.
fn mseal(args: &[usize; 6]) -> Result<usize> {
    let &[addr, len, flags, ..] = args;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    mm::current_space()?.seal(addr, len)?;
    Ok(0)
}

/// `madvise(2)`.
fn madvise(args: &[usize; 6]) -> Result<usize> {
    let advice = Advice::from_number(args[2] as i32)?;
    sched::current().mm.borrow().advise(args[0], args[1], advice)?;
    Ok(0)
}

/// `msync(2)`.
fn msync(args: &[usize; 6]) -> Result<usize> {
    let flags = args[2] as u32;
    let known = general::MS_ASYNC | general::MS_INVALIDATE | general::MS_SYNC;
    let both = general::MS_ASYNC | general::MS_SYNC;
    if flags & !known != 0 || !args[0].is_multiple_of(PAGE_SIZE) || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let invalidate = flags & general::MS_INVALIDATE != 0;
    let write_back = flags & general::MS_SYNC != 0;
    mm::current_space()?.sync(args[0], args[1], invalidate, write_back)?;
    Ok(0)
}

/// Pages that `mincore` looks at in one go.
const MINCORE_STEP: usize = 4096;

/// `mincore(2)`.
fn mincore(args: &[usize; 6]) -> Result<usize> {
    let &[addr, len, vec, ..] = args;
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if addr.checked_add(len).is_none_or(|end| end > USER_END) {
        return Err(Errno::ENOMEM);
    }
    let end = addr + len.next_multiple_of(PAGE_SIZE);
    if vec.checked_add((end - addr) / PAGE_SIZE).is_none_or(|end| end > USER_END) {
        return Err(Errno::EFAULT);
    }
    let space = mm::current_space()?;
    let mut at = addr;
    while at < end {
        let next = end.min(at + MINCORE_STEP * PAGE_SIZE);
        let pages = space.resident_pages(at..next)?;
        user::copy_to_user(UserAddr(vec + (at - addr) / PAGE_SIZE), &pages)?;
        at = next;
    }
    Ok(0)
}

/// `mlock(2)`.
fn mlock(args: &[usize; 6]) -> Result<usize> {
    mm::current_space()?.lock(args[0], args[1], LockMode::Now)?;
    Ok(0)
}

/// `mlock2(2)`.
fn mlock2(args: &[usize; 6]) -> Result<usize> {
    let mode = match args[2] as u32 {
        0 => LockMode::Now,
        general::MLOCK_ONFAULT => LockMode::OnFault,
        _ => return Err(Errno::EINVAL),
    };
    mm::current_space()?.lock(args[0], args[1], mode)?;
    Ok(0)
}

/// `munlock(2)`.
fn munlock(args: &[usize; 6]) -> Result<usize> {
    mm::current_space()?.unlock(args[0], args[1])?;
    Ok(0)
}

/// `mlockall(2)`.
fn mlockall(args: &[usize; 6]) -> Result<usize> {
    let flags = args[0] as u32;
    let (current, future) = (general::MCL_CURRENT, general::MCL_FUTURE);
    let known = current | future | general::MCL_ONFAULT;
    if flags & (current | future) == 0 || flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    let mode = if flags & general::MCL_ONFAULT != 0 { LockMode::OnFault } else { LockMode::Now };
    mm::current_space()?.lock_all(flags & current != 0, flags & future != 0, mode)?;
    Ok(0)
}

/// `munlockall(2)`.
fn munlockall(_: &[usize; 6]) -> Result<usize> {
    mm::current_space()?.unlock_all()?;
    Ok(0)
}

/// Most elements of an iovec (`UIO_MAXIOV`).
const IOV_MAX: usize = 1024;
/// Most bytes moved by one call (`MAX_RW_COUNT`).
const MAX_RW_COUNT: usize = 0x7fff_f000;

/// Reads an iovec; its ranges are cut to what one call moves.
fn read_iovec(addr: usize, count: usize) -> Result<Vec<(usize, usize)>> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let mut vec = mm::try_alloc::vec_with_capacity(count)?;
    let mut room = MAX_RW_COUNT;
    for [base, len] in user::read_array::<[usize; 2]>(UserAddr(addr), count)? {
        if isize::try_from(len).is_err() {
            return Err(Errno::EINVAL);
        }
        let len = len.min(room);
        room -= len;
        vec.push((base, len));
    }
    Ok(vec)
}

/// Whether the current task may look into and change another (`PTRACE_MODE_ATTACH_REALCREDS`).
fn may_access(task: &Task) -> bool {
    let mine = sched::current().credentials.load();
    let theirs = task.credentials.load();
    let (uid, gid) = (mine.uid, mine.gid);
    let same = [theirs.uid, theirs.euid, theirs.suid].iter().all(|&id| id == uid)
        && [theirs.gid, theirs.egid, theirs.sgid].iter().all(|&id| id == gid);
    let itself = Arc::ptr_eq(&sched::current().process, &task.process);
    itself || same || process::capable(Capability::SysPtrace)
}

/// Which way `process_vm_readv` and its counterpart copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    FromRemote,
    ToRemote,
}

fn process_vm(args: &[usize; 6], direction: Direction) -> Result<usize> {
    let &[pid, local, local_count, remote, remote_count, flags] = args;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let local = read_iovec(local, local_count)?;
    if local.iter().all(|&(_, len)| len == 0) {
        return Ok(0);
    }
    let remote = read_iovec(remote, remote_count)?;
    let task =
        u32::try_from(pid).ok().and_then(|tid| pid::find_task(Pid(tid))).ok_or(Errno::ESRCH)?;
    let space = task.mm.load().ok_or(Errno::ESRCH)?;
    if !may_access(&task) {
        return Err(Errno::EPERM);
    }
    let mut here = local.into_iter().filter(|&(_, len)| len > 0);
    let (mut base, mut room) = here.next().unwrap_or((0, 0));
    let mut done = 0;
    for (mut addr, mut len) in remote {
        while len > 0 && room > 0 {
            let part = len.min(room);
            let copied = match direction {
                Direction::FromRemote => Ok(space.copy_to_current(addr, UserAddr(base), part)),
                Direction::ToRemote => space.copy_from_current(addr, UserAddr(base), part),
            };
            done += copied.or_else(|errno| if done > 0 { Ok(0) } else { Err(errno) })?;
            if copied != Ok(part) {
                return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
            }
            (addr, len) = (addr.wrapping_add(part), len - part);
            (base, room) = (base.wrapping_add(part), room - part);
            if room == 0 {
                (base, room) = here.next().unwrap_or((0, 0));
            }
        }
    }
    Ok(done)
}

/// `process_vm_readv(2)`.
fn process_vm_readv(args: &[usize; 6]) -> Result<usize> {
    process_vm(args, Direction::FromRemote)
}

/// `process_vm_writev(2)`.
fn process_vm_writev(args: &[usize; 6]) -> Result<usize> {
    process_vm(args, Direction::ToRemote)
}

/// `process_madvise(2)`: advice that changes no content, about another process's memory.
fn process_madvise(args: &[usize; 6]) -> Result<usize> {
    let &[pidfd, vec, count, advice, flags, _] = args;
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let ranges = read_iovec(vec, count)?;
    let task = pidfd::process_of(pidfd as i32)?.leader().ok_or(Errno::ESRCH)?;
    let advice = Advice::from_number(advice as i32)?;
    if !matches!(advice, Advice::Cold | Advice::PageOut | Advice::WillNeed | Advice::Collapse) {
        return Err(Errno::EINVAL);
    }
    let space = task.mm.load().ok_or(Errno::ESRCH)?;
    if !process::may_inspect(&task, InspectAs::FileSystemIds) {
        return Err(Errno::EACCES);
    }
    if !process::capable(Capability::SysNice) {
        return Err(Errno::EPERM);
    }
    let mut done = 0;
    for (addr, len) in ranges {
        match space.advise(addr, len, advice) {
            Ok(()) => done += len,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// `process_mrelease(2)`.
fn process_mrelease(args: &[usize; 6]) -> Result<usize> {
    if args[1] as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    process::release_memory(&*pidfd::process_of(args[0] as i32)?)?;
    Ok(0)
}
