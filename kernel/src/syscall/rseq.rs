//! Restartable sequences and memory barriers.

use super::table::calls;
use crate::{
    mm::{self, Announced, BarrierKind, UserAddr},
    process::rseq,
};
use abi::{Errno, Result};

calls! {
    rseq => rseq;
    membarrier => membarrier;
}

/// `RSEQ_FLAG_UNREGISTER`.
const FLAG_UNREGISTER: u32 = 1;

/// `rseq(2)`.
fn rseq(args: &[usize; 6]) -> Result<usize> {
    let (addr, length) = (UserAddr(args[0]), args[1] as u32);
    let (flags, signature) = (args[2] as u32, args[3] as u32);
    match flags {
        0 => rseq::register(addr, length, signature)?,
        FLAG_UNREGISTER => rseq::unregister(addr, length, signature)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Commands of `membarrier(2)`.
mod membarrier_command {
    pub const QUERY: u32 = 0;
    pub const GLOBAL: u32 = 1;
    pub const GLOBAL_EXPEDITED: u32 = 1 << 1;
    pub const REGISTER_GLOBAL_EXPEDITED: u32 = 1 << 2;
    pub const PRIVATE_EXPEDITED: u32 = 1 << 3;
    pub const REGISTER_PRIVATE_EXPEDITED: u32 = 1 << 4;
    pub const PRIVATE_EXPEDITED_CORE: u32 = 1 << 5;
    pub const REGISTER_PRIVATE_EXPEDITED_CORE: u32 = 1 << 6;
    pub const PRIVATE_EXPEDITED_RSEQ: u32 = 1 << 7;
    pub const REGISTER_PRIVATE_EXPEDITED_RSEQ: u32 = 1 << 8;
    pub const GET_REGISTRATIONS: u32 = 1 << 9;
    /// All of them.
    pub const ALL: u32 = (1 << 10) - 1;
    /// Flag: only the CPU given.
    pub const FLAG_CPU: u32 = 1;
}

/// `membarrier(2)`.
fn membarrier(args: &[usize; 6]) -> Result<usize> {
    use membarrier_command::*;
    let (command, flags) = (args[0] as u32, args[1] as u32);
    let one_cpu = command == PRIVATE_EXPEDITED_RSEQ && flags == FLAG_CPU;
    if flags != 0 && !one_cpu {
        return Err(Errno::EINVAL);
    }
    // A negative number is any CPU's, as without the flag.
    let cpu = usize::try_from((args[2] as u32).cast_signed()).ok().filter(|_| one_cpu);
    let space = mm::current_space()?;
    match command {
        QUERY => return Ok(ALL as usize),
        GLOBAL | GLOBAL_EXPEDITED => mm::barrier_everywhere(),
        REGISTER_GLOBAL_EXPEDITED => space.announce_global_barriers(),
        REGISTER_PRIVATE_EXPEDITED => space.announce_barriers(BarrierKind::Plain),
        REGISTER_PRIVATE_EXPEDITED_CORE => space.announce_barriers(BarrierKind::Core),
        REGISTER_PRIVATE_EXPEDITED_RSEQ => space.announce_barriers(BarrierKind::Rseq(None)),
        PRIVATE_EXPEDITED => space.barrier(BarrierKind::Plain)?,
        PRIVATE_EXPEDITED_CORE => space.barrier(BarrierKind::Core)?,
        PRIVATE_EXPEDITED_RSEQ => space.barrier(BarrierKind::Rseq(cpu))?,
        GET_REGISTRATIONS => return Ok(registrations(space.announced_barriers()) as usize),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// The commands by which that was announced.
fn registrations(announced: Announced) -> u32 {
    use membarrier_command::*;
    [
        (Announced::GLOBAL, REGISTER_GLOBAL_EXPEDITED),
        (Announced::PRIVATE, REGISTER_PRIVATE_EXPEDITED),
        (Announced::CORE, REGISTER_PRIVATE_EXPEDITED_CORE),
        (Announced::RSEQ, REGISTER_PRIVATE_EXPEDITED_RSEQ),
    ]
    .into_iter()
    .filter(|(what, _)| announced.contains(*what))
    .fold(0, |commands, (_, command)| commands | command)
}
