//! Credentials: user and group ids, supplementary groups, capabilities.

use super::table::calls;
use crate::{
    mm::{UserAddr, user},
    process::{
        ALL_CAPABILITIES, Capability, Credentials, Gid, Pid, Uid, capable, pid,
        set_ids::{self, CapabilitySets, IdChange},
    },
    sched,
    sync::rcu,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    getuid => getuid;
    geteuid => geteuid;
    getgid => getgid;
    getegid => getegid;
    getresuid => getresuid;
    getresgid => getresgid;
    setuid => setuid;
    setgid => setgid;
    setreuid => setreuid;
    setregid => setregid;
    setresuid => setresuid;
    setresgid => setresgid;
    setfsuid => setfsuid;
    setfsgid => setfsgid;
    getgroups => getgroups;
    setgroups => setgroups;
    capget => capget;
    capset => capset;
}

/// The id that means "none" or "as it is".
const NO_ID: u32 = u32::MAX;

/// The most supplementary groups (`NGROUPS_MAX`).
const GROUPS_LIMIT: usize = 65536;

fn mine() -> Arc<Credentials> {
    sched::current().credentials.load()
}

/// What `id` finds in the caller's credentials, whose count all threads share: it is left alone.
fn my_id(id: impl FnOnce(&Credentials) -> u32) -> Result<usize> {
    let section = rcu::read();
    Ok(id(sched::current().credentials.get(&section)) as usize)
}

fn getuid(_: &[usize; 6]) -> Result<usize> {
    my_id(|mine| mine.uid.0)
}

fn geteuid(_: &[usize; 6]) -> Result<usize> {
    my_id(|mine| mine.euid.0)
}

fn getgid(_: &[usize; 6]) -> Result<usize> {
    my_id(|mine| mine.gid.0)
}

fn getegid(_: &[usize; 6]) -> Result<usize> {
    my_id(|mine| mine.egid.0)
}

/// Writes three ids to three places, in order.
fn write_ids(args: &[usize; 6], ids: [u32; 3]) -> Result<usize> {
    for (&addr, id) in args.iter().zip(ids) {
        user::write(UserAddr(addr), &id)?;
    }
    Ok(0)
}

fn getresuid(args: &[usize; 6]) -> Result<usize> {
    let mine = mine();
    write_ids(args, [mine.uid.0, mine.euid.0, mine.suid.0])
}

fn getresgid(args: &[usize; 6]) -> Result<usize> {
    let mine = mine();
    write_ids(args, [mine.gid.0, mine.egid.0, mine.sgid.0])
}

/// An id argument; `None` for -1.
fn uid(argument: usize) -> Option<Uid> {
    Some(argument as u32).filter(|&id| id != NO_ID).map(Uid)
}

fn gid(argument: usize) -> Option<Gid> {
    Some(argument as u32).filter(|&id| id != NO_ID).map(Gid)
}

fn setuid(args: &[usize; 6]) -> Result<usize> {
    set_ids::set_uid(uid(args[0]).ok_or(Errno::EINVAL)?).map(|()| 0)
}

fn setgid(args: &[usize; 6]) -> Result<usize> {
    set_ids::set_gid(gid(args[0]).ok_or(Errno::EINVAL)?).map(|()| 0)
}

fn setreuid(args: &[usize; 6]) -> Result<usize> {
    set_ids::set_reuid(uid(args[0]), uid(args[1])).map(|()| 0)
}

fn setregid(args: &[usize; 6]) -> Result<usize> {
    set_ids::set_regid(gid(args[0]), gid(args[1])).map(|()| 0)
}

fn setresuid(args: &[usize; 6]) -> Result<usize> {
    let change = IdChange { real: uid(args[0]), effective: uid(args[1]), saved: uid(args[2]) };
    set_ids::set_resuid(change).map(|()| 0)
}

fn setresgid(args: &[usize; 6]) -> Result<usize> {
    let change = IdChange { real: gid(args[0]), effective: gid(args[1]), saved: gid(args[2]) };
    set_ids::set_resgid(change).map(|()| 0)
}

fn setfsuid(args: &[usize; 6]) -> Result<usize> {
    Ok(set_ids::set_fsuid(uid(args[0])).0 as usize)
}

fn setfsgid(args: &[usize; 6]) -> Result<usize> {
    Ok(set_ids::set_fsgid(gid(args[0])).0 as usize)
}

fn getgroups(args: &[usize; 6]) -> Result<usize> {
    let size = usize::try_from(args[0] as u32 as i32).map_err(|_| Errno::EINVAL)?;
    let mine = mine();
    let count = mine.groups.len();
    if size == 0 {
        return Ok(count);
    }
    if count > size {
        return Err(Errno::EINVAL);
    }
    let ids: Vec<u32> = mine.groups.iter().map(|group| group.0).collect();
    user::copy_to_user(UserAddr(args[1]), ids.as_bytes())?;
    Ok(count)
}

fn setgroups(args: &[usize; 6]) -> Result<usize> {
    if !capable(Capability::Setgid) {
        return Err(Errno::EPERM);
    }
    let count = args[0] as u32 as usize;
    if count > GROUPS_LIMIT {
        return Err(Errno::EINVAL);
    }
    let ids: Vec<u32> = user::read_array(UserAddr(args[1]), count)?;
    if ids.contains(&NO_ID) {
        return Err(Errno::EINVAL);
    }
    set_ids::set_groups(ids.into_iter().map(Gid).collect()).map(|()| 0)
}

/// `struct __user_cap_header_struct`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct CapHeader {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`: 32 capabilities.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_1: u32 = 0x1998_0330;
const VERSION_2: u32 = 0x2007_1026;
const VERSION_3: u32 = 0x2008_0522;

/// Reads the header; how many words a set has. An unknown version is answered with the one that is preferred.
fn cap_header(addr: UserAddr) -> Result<(CapHeader, usize)> {
    let header: CapHeader = user::read(addr)?;
    match header.version {
        VERSION_1 => Ok((header, 1)),
        VERSION_2 | VERSION_3 => Ok((header, 2)),
        _ => {
            user::write(addr, &VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

fn capget(args: &[usize; 6]) -> Result<usize> {
    let data_addr = UserAddr(args[1]);
    let (header, words) = match cap_header(UserAddr(args[0])) {
        // A question for the version only.
        Err(Errno::EINVAL) if data_addr.is_null() => return Ok(0),
        other => other?,
    };
    let credentials = match u32::try_from(header.pid).map_err(|_| Errno::EINVAL)? {
        0 => mine(),
        id => pid::find_task(Pid(id)).ok_or(Errno::ESRCH)?.credentials.load(),
    };
    if data_addr.is_null() {
        return Ok(0);
    }
    let half = |word: usize| {
        let part = |set: u64| (set >> (32 * word)) as u32;
        CapData {
            effective: part(credentials.cap_effective),
            permitted: part(credentials.cap_permitted),
            inheritable: part(credentials.cap_inheritable),
        }
    };
    for word in 0..words {
        user::write(data_addr.add(word * size_of::<CapData>()), &half(word))?;
    }
    Ok(0)
}

fn capset(args: &[usize; 6]) -> Result<usize> {
    let (header, words) = cap_header(UserAddr(args[0]))?;
    if header.pid != 0 && header.pid.cast_unsigned() != sched::current().tid().0 {
        return Err(Errno::EPERM);
    }
    let mut data = [CapData::default(); 2];
    for (word, half) in data.iter_mut().enumerate().take(words) {
        *half = user::read(UserAddr(args[1]).add(word * size_of::<CapData>()))?;
    }
    let join = |part: fn(&CapData) -> u32| {
        (u64::from(part(&data[0])) | u64::from(part(&data[1])) << 32) & ALL_CAPABILITIES
    };
    set_ids::set_capabilities(CapabilitySets {
        effective: join(|half| half.effective),
        permitted: join(|half| half.permitted),
        inheritable: join(|half| half.inheritable),
    })
    .map(|()| 0)
}
