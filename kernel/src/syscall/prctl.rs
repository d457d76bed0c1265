//! `prctl(2)` and `arch_prctl(2)`: what a thread may set about itself.

use super::table::calls;
use crate::{
    mm::{self, USER_END, UserAddr, user},
    process::{LAST_CAPABILITY, SecureBits, TaskFlags, set_ids, signal::Signal, user_dispatch},
    sched,
};
use abi::{Errno, Result, prctl as op};
use core::sync::atomic::Ordering::Relaxed;

calls! {
    prctl => prctl;
    arch_prctl => arch_prctl;
}

/// The default timer slack of a process, which 0 restores.
const DEFAULT_TIMER_SLACK: u64 = 50_000;

fn prctl(args: &[usize; 6]) -> Result<usize> {
    let &[option, arg2, arg3, arg4, arg5, _] = args;
    let current = sched::current();
    let credentials = || current.credentials.load();
    let process = &current.process;
    let unused = |arguments: &[usize]| {
        if arguments.iter().all(|&argument| argument == 0) { Ok(()) } else { Err(Errno::EINVAL) }
    };
    match option as u32 {
        op::PR_SET_PDEATHSIG => {
            // 0 takes it back.
            if arg2 != 0 && Signal::new(arg2).is_none() {
                return Err(Errno::EINVAL);
            }
            let signal = u8::try_from(arg2).map_err(|_| Errno::EINVAL)?;
            current.parent_death_signal.store(signal, Relaxed);
        }
        op::PR_GET_PDEATHSIG => {
            let signal = i32::from(current.parent_death_signal.load(Relaxed));
            user::write(UserAddr(arg2), &signal)?;
        }
        op::PR_GET_DUMPABLE => return Ok(usize::from(process.dumpable.load(Relaxed))),
        op::PR_SET_DUMPABLE => {
            let value = u8::try_from(arg2).ok().filter(|&value| value <= 1);
            process.dumpable.store(value.ok_or(Errno::EINVAL)?, Relaxed);
        }
        op::PR_GET_KEEPCAPS => {
            return Ok(usize::from(credentials().securebits.contains(SecureBits::KEEP_CAPS)));
        }
        op::PR_SET_KEEPCAPS => match arg2 {
            0 | 1 => set_ids::set_keep_capabilities(arg2 == 1)?,
            _ => return Err(Errno::EINVAL),
        },
        op::PR_GET_TIMING => return Ok(0),
        op::PR_SET_TIMING => unused(&[arg2])?,
        op::PR_SET_NAME => {
            let mut name = [0u8; 16];
            read_name(UserAddr(arg2), &mut name)?;
            current.set_name(name.split(|&byte| byte == 0).next().unwrap_or_default());
        }
        op::PR_GET_NAME => {
            let name = *current.name.lock();
            user::copy_to_user(UserAddr(arg2), &name)?;
        }
        op::PR_CAPBSET_READ => {
            let bit = capability_bit(arg2)?;
            return Ok(usize::from(credentials().cap_bounding & bit != 0));
        }
        op::PR_CAPBSET_DROP => {
            // The right to drop comes before the question what.
            if !crate::process::capable(crate::process::Capability::Setpcap) {
                return Err(Errno::EPERM);
            }
            capability_bit(arg2)?;
            set_ids::drop_bounding(arg2 as u32)?;
        }
        op::PR_GET_SECUREBITS => return Ok(credentials().securebits.bits() as usize),
        op::PR_SET_SECUREBITS => {
            set_ids::set_securebits(u32::try_from(arg2).map_err(|_| Errno::EPERM)?)?;
        }
        op::PR_SET_TIMERSLACK => {
            let slack = if arg2.cast_signed() <= 0 { DEFAULT_TIMER_SLACK } else { arg2 as u64 };
            current.timer_slack.store(slack, Relaxed);
        }
        op::PR_GET_TIMERSLACK => return Ok(current.timer_slack.load(Relaxed) as usize),
        op::PR_SET_CHILD_SUBREAPER => process.set_child_subreaper(arg2 != 0),
        op::PR_GET_CHILD_SUBREAPER => {
            user::write(UserAddr(arg2), &i32::from(process.is_child_subreaper()))?;
        }
        op::PR_SET_NO_NEW_PRIVS => {
            if arg2 != 1 {
                return Err(Errno::EINVAL);
            }
            unused(&[arg3, arg4, arg5])?;
            current.set_flags(TaskFlags::NO_NEW_PRIVS);
        }
        op::PR_GET_NO_NEW_PRIVS => {
            unused(&[arg2, arg3, arg4, arg5])?;
            return Ok(usize::from(current.flags().contains(TaskFlags::NO_NEW_PRIVS)));
        }
        op::PR_GET_TID_ADDRESS => {
            user::write(UserAddr(arg2), &current.clear_child_tid.load(Relaxed))?;
        }
        op::PR_SET_SYSCALL_USER_DISPATCH => user_dispatch::set(arg2, arg3, arg4, arg5)?,
        op::PR_SET_THP_DISABLE => {
            unused(&[arg3, arg4, arg5])?;
            mm::current_space()?.set_no_huge_pages(arg2 != 0);
        }
        op::PR_GET_THP_DISABLE => {
            unused(&[arg2, arg3, arg4, arg5])?;
            return Ok(usize::from(mm::current_space()?.has_no_huge_pages()));
        }
        op::PR_CAP_AMBIENT => return ambient(arg2, arg3, &[arg4, arg5]),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Copies a name up to its NUL, at most 15 bytes.
fn read_name(addr: UserAddr, name: &mut [u8; 16]) -> Result<()> {
    for (index, byte) in name.iter_mut().take(15).enumerate() {
        *byte = user::read(addr.add(index))?;
        if *byte == 0 {
            break;
        }
    }
    Ok(())
}

fn capability_bit(argument: usize) -> Result<u64> {
    if argument <= LAST_CAPABILITY as usize { Ok(1 << argument) } else { Err(Errno::EINVAL) }
}

fn ambient(operation: usize, argument: usize, rest: &[usize; 2]) -> Result<usize> {
    if *rest != [0; 2] {
        return Err(Errno::EINVAL);
    }
    let operation = operation as u32;
    if operation == op::PR_CAP_AMBIENT_CLEAR_ALL {
        if argument != 0 {
            return Err(Errno::EINVAL);
        }
        return set_ids::lower_ambient(u64::MAX).map(|()| 0);
    }
    let bit = capability_bit(argument)?;
    match operation {
        op::PR_CAP_AMBIENT_IS_SET => {
            Ok(usize::from(sched::current().credentials.load().cap_ambient & bit != 0))
        }
        op::PR_CAP_AMBIENT_RAISE => set_ids::raise_ambient(argument as u32).map(|()| 0),
        op::PR_CAP_AMBIENT_LOWER => set_ids::lower_ambient(bit).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

fn arch_prctl(args: &[usize; 6]) -> Result<usize> {
    const SET_GS: u32 = 0x1001;
    const SET_FS: u32 = 0x1002;
    const GET_FS: u32 = 0x1003;
    const GET_GS: u32 = 0x1004;
    const GET_CPUID: u32 = 0x1011;
    const SET_CPUID: u32 = 0x1012;
    let &[operation, argument, ..] = args;
    let current = sched::current();
    let base = || if argument < USER_END { Ok(argument) } else { Err(Errno::EPERM) };
    match operation as u32 {
        SET_GS => current.thread.set_segments(current.thread.segments().with_gs_base(base()?)),
        SET_FS => current.thread.set_segments(current.thread.segments().with_fs_base(base()?)),
        GET_FS => user::write(UserAddr(argument), &current.thread.segments().fs_base())?,
        GET_GS => user::write(UserAddr(argument), &current.thread.segments().gs_base())?,
        // `cpuid` always works and cannot be made to fault.
        GET_CPUID => return Ok(1),
        SET_CPUID => return Err(Errno::ENODEV),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
