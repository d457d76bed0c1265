//! The master of a pseudo-terminal.

use super::{Entry, SLAVES, link::Link};
use crate::{
    fs::{
        DeviceId, File, FileOps, IoSink, IoSource, OpenFlags,
        devpts::{self, Instance},
    },
    mm::{UserAddr, user},
    sched,
    sync::{PollEvents, PollTable},
    tty::{
        Terminal,
        file::{Role, TerminalFile},
        hangup::Cause,
        ioctl::{self, number::*},
    },
};
use abi::{Errno, Result};
use alloc::{format, sync::Arc};
use ldisc::termios::{Control, Termios};

/// Major number of slaves.
pub const SLAVE_MAJOR: u32 = 136;

/// Bytes that one step of a read or write copies.
const CHUNK: usize = 1024;

/// The operations of an open master.
pub struct MasterFile {
    index: u32,
    link: Arc<Link>,
    slave: Arc<Terminal>,
    instance: Arc<Instance>,
}

impl MasterFile {
    /// Makes a pseudo-terminal in a devpts instance. `ENOSPC` when it has no number left.
    pub(super) fn open(instance: Arc<Instance>) -> Result<Arc<MasterFile>> {
        let link = Link::new()?;
        let index = instance.allocate()?;
        let control = Control::CS8 | Control::CREAD;
        let mut termios = Termios { control, ..Termios::default() };
        termios.set_speed(38_400);
        let device = DeviceId { major: SLAVE_MAJOR, minor: index };
        let driver: Arc<Link> = Arc::clone(&link);
        let slave = Terminal::new(&format!("pts/{index}"), device, driver, termios);
        SLAVES.lock().push(Entry {
            instance: instance.device(),
            index,
            terminal: Arc::downgrade(&slave),
            link: Arc::downgrade(&link),
        });
        instance.show(index, device);
        Ok(Arc::new(MasterFile { index, link, slave, instance }))
    }

    /// `TIOCGPTPEER`: a descriptor of the slave, without a way by its name.
    fn open_peer(&self, flags: usize) -> Result<usize> {
        let bits = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
        let flags = OpenFlags::from_bits(bits).ok_or(Errno::EINVAL)?;
        if self.link.is_locked() {
            return Err(Errno::EIO);
        }
        let path = self.instance.path(self.index)?;
        let file = File::new(
            path,
            flags,
            TerminalFile::open(Arc::clone(&self.slave), flags, Role::Terminal)?,
        )?;
        TerminalFile::opened(&file);
        let files = sched::current();
        let fd = files.files.borrow().install(file, flags.contains(OpenFlags::CLOEXEC), 0)?;
        usize::try_from(fd.0).map_err(|_| Errno::EMFILE)
    }
}

impl Drop for MasterFile {
    fn drop(&mut self) {
        self.instance.hide(self.index);
        let instance = self.instance.device();
        // Taken out under the lock, dropped after it.
        let entry = {
            let mut slaves = SLAVES.lock();
            let at = slaves.iter().position(|e| e.instance == instance && e.index == self.index);
            at.map(|at| slaves.swap_remove(at))
        };
        drop(entry);
        self.link.close_master();
        self.slave.hang_up(Cause::Lost);
        self.instance.release(self.index);
    }
}

impl FileOps for MasterFile {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        if dst.remaining() == 0 {
            return Ok(0);
        }
        let mut done = 0;
        let one_packet = self.link.packet_mode();
        while dst.remaining() > 0 {
            let mut chunk = [0; CHUNK];
            let want = dst.remaining().min(CHUNK);
            let n = match self.link.take(&mut chunk[..want]) {
                Ok(n) => n,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            };
            match dst.write(&chunk[..n]) {
                Ok(copied) => done += copied,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
            if one_packet {
                break;
            }
        }
        // Echo that waited comes first, then the slave's writers.
        self.slave.update(|_, _| ());
        self.slave.wake_writers();
        Ok(done)
    }

    fn write(&self, _: &File, src: &mut IoSource<'_>, _: &mut u64) -> Result<usize> {
        let mut done = 0;
        while src.remaining() > 0 {
            let mut chunk = [0; CHUNK];
            let n = match src.clone().read(&mut chunk) {
                Ok(n) => n,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            };
            let taken = self.slave.receive(&chunk[..n]);
            src.skip(taken);
            done += taken;
            if taken < n {
                break;
            }
        }
        if done == 0 && src.remaining() > 0 { Err(Errno::EAGAIN) } else { Ok(done) }
    }

    fn poll(&self, _: &File, table: &mut PollTable) -> PollEvents {
        table.register(&self.link.read_queue);
        table.register(&self.link.write_queue);
        let mut events = self.link.poll();
        if self.slave.accepts_input() {
            events |= PollEvents::OUT | PollEvents::WRNORM;
        }
        events
    }

    fn ioctl(&self, _: &File, command: u32, argument: usize) -> Result<usize> {
        let address = UserAddr(argument);
        let flag = || user::read::<u32>(address).map(|value| value != 0);
        match command {
            TIOCGPTN => ioctl::put_int(address, self.index),
            TIOCGPTPEER => self.open_peer(argument),
            TIOCSPTLCK => flag().map(|on| self.link.set_locked(on)).map(|()| 0),
            TIOCGPTLCK => ioctl::put_int(address, u32::from(self.link.is_locked())),
            TIOCPKT => flag().map(|on| self.link.set_packet_mode(on)).map(|()| 0),
            TIOCGPKT => ioctl::put_int(address, u32::from(self.link.packet_mode())),
            TIOCSIG => ioctl::send_signal(&self.slave, argument),
            FIONREAD => ioctl::put_int(address, self.link.available()),
            TIOCOUTQ => ioctl::put_int(address, 0_u32),
            TIOCGDEV => {
                let device = DeviceId { major: devpts::MASTER_MAJOR, minor: self.index };
                ioctl::put_int(address, device.encode())
            }
            TCFLSH => {
                match argument {
                    // The master's input is the slave's output, and the other way round.
                    0 => self.link.discard(),
                    1 => self.slave.flush_input(),
                    2 => {
                        self.link.discard();
                        self.slave.flush_input();
                    }
                    _ => return Err(Errno::EINVAL),
                }
                self.slave.wake_writers();
                Ok(0)
            }
            // The master's own output is never held, and a master controls no session.
            TCXONC if argument < 4 => Ok(0),
            TCXONC => Err(Errno::EINVAL),
            TIOCSCTTY => Err(Errno::EPERM),
            TIOCNOTTY => Err(Errno::ENOTTY),
            TIOCSTI => Err(Errno::EIO),
            _ => ioctl::common(&self.slave, command, argument),
        }
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
