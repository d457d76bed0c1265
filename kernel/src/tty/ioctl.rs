//! `ioctl_tty(2)`: the calls on an open terminal. The order of checks is Linux's, since it decides which error is seen.

use super::{Terminal, file::TerminalFile, hangup::Cause, job_control::capable, modes};
use crate::{
    fs::File,
    mm::{UserAddr, user},
    process::{Capability, signal::Signal},
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// The numbers (`<asm-generic/ioctls.h>`).
pub(super) mod number {
    pub const TCGETS: u32 = 0x5401;
    pub const TCSETS: u32 = 0x5402;
    pub const TCSETSW: u32 = 0x5403;
    pub const TCSETSF: u32 = 0x5404;
    pub const TCGETA: u32 = 0x5405;
    pub const TCSETA: u32 = 0x5406;
    pub const TCSETAW: u32 = 0x5407;
    pub const TCSETAF: u32 = 0x5408;
    pub const TCSBRK: u32 = 0x5409;
    pub const TCXONC: u32 = 0x540a;
    pub const TCFLSH: u32 = 0x540b;
    pub const TIOCEXCL: u32 = 0x540c;
    pub const TIOCNXCL: u32 = 0x540d;
    pub const TIOCSCTTY: u32 = 0x540e;
    pub const TIOCGPGRP: u32 = 0x540f;
    pub const TIOCSPGRP: u32 = 0x5410;
    pub const TIOCOUTQ: u32 = 0x5411;
    pub const TIOCSTI: u32 = 0x5412;
    pub const TIOCGWINSZ: u32 = 0x5413;
    pub const TIOCSWINSZ: u32 = 0x5414;
    pub const TIOCMGET: u32 = 0x5415;
    pub const FIONREAD: u32 = 0x541b;
    pub const TIOCGSERIAL: u32 = 0x541e;
    pub const TIOCPKT: u32 = 0x5420;
    pub const TIOCNOTTY: u32 = 0x5422;
    pub const TIOCSETD: u32 = 0x5423;
    pub const TIOCGETD: u32 = 0x5424;
    pub const TCSBRKP: u32 = 0x5425;
    pub const TIOCSBRK: u32 = 0x5427;
    pub const TIOCCBRK: u32 = 0x5428;
    pub const TIOCGSID: u32 = 0x5429;
    pub const TCGETS2: u32 = 0x802c_542a;
    pub const TCSETS2: u32 = 0x402c_542b;
    pub const TCSETSW2: u32 = 0x402c_542c;
    pub const TCSETSF2: u32 = 0x402c_542d;
    pub const TIOCGPTN: u32 = 0x8004_5430;
    pub const TIOCSPTLCK: u32 = 0x4004_5431;
    pub const TIOCGDEV: u32 = 0x8004_5432;
    pub const TIOCSIG: u32 = 0x4004_5436;
    pub const TIOCVHANGUP: u32 = 0x5437;
    pub const TIOCGPKT: u32 = 0x8004_5438;
    pub const TIOCGPTLCK: u32 = 0x8004_5439;
    pub const TIOCGEXCL: u32 = 0x8004_5440;
    pub const TIOCGPTPEER: u32 = 0x5441;
}
use number::*;

/// Modem lines that are up on a line without modem control: DTR, RTS, CAR, DSR, CTS (`TIOCM_*`).
const MODEM_LINES: u32 = 0x002 | 0x004 | 0x040 | 0x100 | 0x020;

/// On a terminal or the slave of a pseudo-terminal.
pub(super) fn terminal(
    file: &TerminalFile,
    open: &File,
    command: u32,
    argument: usize,
) -> Result<usize> {
    if file.is_dead() {
        return Err(if command == TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO });
    }
    let terminal = &file.terminal;
    let address = UserAddr(argument);
    if matches!(command, TIOCSETD | TIOCSBRK | TIOCCBRK | TCSBRK | TCSBRKP) {
        terminal.check_change()?;
        if command != TIOCCBRK {
            terminal.drain().map_err(|_| Errno::EINTR)?;
        }
    }
    match command {
        FIONREAD => put_int(address, terminal.available()),
        TIOCOUTQ => put_int(address, terminal.driver().unsent()),
        TIOCSCTTY => terminal.set_controlling(argument == 1, open.flags().readable()).map(|()| 0),
        TIOCGPGRP | TIOCGSID if !terminal.is_controlling() => Err(Errno::ENOTTY),
        TIOCMGET => match terminal.driver().serial_port() {
            Some(_) => put_int(address, MODEM_LINES),
            None => Err(Errno::ENOTTY),
        },
        TIOCGSERIAL => get_serial(terminal, address),
        TIOCSTI => simulate_input(terminal, address),
        // Only masters have one.
        TIOCGPTPEER => Err(Errno::EIO),
        _ => common(terminal, command, argument),
    }
}

/// What the master of a pseudo-terminal has in common with its slave: all but the master's own calls act on the slave.
pub(super) fn common(terminal: &Arc<Terminal>, command: u32, argument: usize) -> Result<usize> {
    let address = UserAddr(argument);
    match command {
        TIOCGWINSZ => user::write(address, &terminal.size()).map(|()| 0),
        TIOCSWINSZ => {
            if terminal.set_size(user::read(address)?) {
                terminal.signal_foreground(Signal::SIGWINCH);
            }
            Ok(0)
        }
        TIOCEXCL => {
            terminal.exclusive.store(true, Ordering::Relaxed);
            Ok(0)
        }
        TIOCNXCL => {
            terminal.exclusive.store(false, Ordering::Relaxed);
            Ok(0)
        }
        TIOCGEXCL => put_int(address, u32::from(terminal.exclusive.load(Ordering::Relaxed))),
        TIOCGETD => put_int(address, 0_u32),
        TIOCSETD => match user::read::<u32>(address)? {
            // There is no line discipline but N_TTY.
            0 => Ok(0),
            _ => Err(Errno::EINVAL),
        },
        TIOCGDEV => {
            let device = u32::try_from(terminal.device().encode()).unwrap_or(0);
            put_int(address, device)
        }
        TIOCVHANGUP => {
            if !capable(Capability::SysAdmin) {
                return Err(Errno::EPERM);
            }
            terminal.hang_up(Cause::Lost);
            Ok(0)
        }
        // The lines here cannot send a break; as on a Linux terminal without the operation, that is no error.
        TIOCSBRK | TIOCCBRK | TCSBRK | TCSBRKP => Ok(0),
        TIOCNOTTY => terminal.give_up().map(|()| 0),
        TIOCGPGRP => put_int(address, terminal.foreground_id()),
        TIOCSPGRP => {
            match terminal.check_change() {
                Err(Errno::EIO) => return Err(Errno::ENOTTY),
                other => other?,
            }
            terminal.set_foreground(user::read(address)?).map(|()| 0)
        }
        TIOCGSID => {
            let id = terminal.session_id()?;
            put_int(address, id.0)
        }
        TCXONC => flow(terminal, argument),
        TCFLSH => flush(terminal, argument),
        _ => modes::ioctl(terminal, command, address),
    }
}

/// Writes an `int`.
pub(super) fn put_int(address: UserAddr, value: impl TryInto<u32>) -> Result<usize> {
    let value: u32 = value.try_into().unwrap_or(i32::MAX as u32);
    user::write(address, &value).map(|()| 0)
}

fn flow(terminal: &Terminal, action: usize) -> Result<usize> {
    use ldisc::termios::{Cc, DISABLED};
    terminal.check_change()?;
    match action {
        0 => terminal.update(|state, events| *events |= state.discipline.hold()),
        1 => terminal.update(|state, events| *events |= state.discipline.release()),
        2 | 3 => {
            let slot = if action == 2 { Cc::Stop } else { Cc::Start };
            let c = terminal.termios().char(slot);
            if c != DISABLED {
                terminal.driver().send_urgent(c);
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn flush(terminal: &Terminal, which: usize) -> Result<usize> {
    terminal.check_change()?;
    if !matches!(which, 0..=2) {
        return Err(Errno::EINVAL);
    }
    if which != 1 {
        terminal.flush_input();
    }
    if which != 0 {
        terminal.flush_output();
    }
    Ok(0)
}

/// `TIOCSTI`: input as if it had been typed. As Linux does by default, only for the privileged.
fn simulate_input(terminal: &Terminal, address: UserAddr) -> Result<usize> {
    if !capable(Capability::SysAdmin) {
        return Err(Errno::EIO);
    }
    let byte: u8 = user::read(address)?;
    terminal.receive(&[byte]);
    Ok(0)
}

/// `struct serial_struct`, of which a fixed 16550 fills the first fields.
fn get_serial(terminal: &Terminal, address: UserAddr) -> Result<usize> {
    const TYPE_16550A: u32 = 4;
    const BASE_BAUD: u32 = 115_200;
    const FIFO_SIZE: u32 = 16;
    let port = terminal.driver().serial_port().ok_or(Errno::ENOTTY)?;
    let mut out = [0_u8; 72];
    let words =
        [TYPE_16550A, port.line, u32::from(port.port), port.irq, 0, FIFO_SIZE, 0, BASE_BAUD];
    for (i, word) in words.iter().enumerate() {
        out[i * 4..i * 4 + 4].copy_from_slice(&word.to_le_bytes());
    }
    user::copy_to_user(address, &out).map(|()| 0)
}

/// `TIOCSIG` on a master: a signal to the slave's foreground group.
pub(super) fn send_signal(terminal: &Terminal, argument: usize) -> Result<usize> {
    let signal = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP]
        .into_iter()
        .find(|signal| usize::from(signal.0) == argument)
        .ok_or(Errno::EINVAL)?;
    terminal.signal_foreground(signal);
    Ok(0)
}
