//! Pseudo-terminals (`pty(7)`): a terminal (the slave, in `/dev/pts`) whose line ends at another file (the master, opened
//! through `/dev/ptmx`).
//!
//! - `link`: the slave's driver: what the slave writes, on its way to the master.
//! - `master`: the master's file.
//!
//! What the master writes goes straight through the slave's line discipline, in the writer's context. The names in
//! `/dev/pts` are devpts's ([`crate::fs::devpts`]).

mod link;
mod master;

pub use master::{MasterFile, SLAVE_MAJOR};

use super::{
    Terminal,
    console::AUX_MAJOR,
    file::{Role, TerminalFile},
};
use crate::{
    fs::{
        DeviceId, File, FileOps, Inode, OpenFlags, devpts,
        inode::{DeviceDriver, register_char_device},
    },
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{
    sync::{Arc, Weak},
    vec::Vec,
};
use link::Link;

/// Minor number of `/dev/ptmx`.
pub const PTMX_MINOR: u32 = 2;

/// A slave in the table: which devpts instance, which number.
struct Entry {
    instance: DeviceId,
    index: u32,
    terminal: Weak<Terminal>,
    link: Weak<Link>,
}

/// All slaves, in no order.
static SLAVES: SpinLock<Vec<Entry>> = SpinLock::new(&class::TABLE, Vec::new());

fn find_slave(instance: DeviceId, index: u32) -> Option<(Arc<Terminal>, Arc<Link>)> {
    let slaves = SLAVES.lock();
    let entry = slaves.iter().find(|entry| entry.instance == instance && entry.index == index)?;
    Some((entry.terminal.upgrade()?, entry.link.upgrade()?))
}

/// Registers `/dev/ptmx` and the slaves.
pub(super) fn init() {
    register_char_device(AUX_MAJOR, PTMX_MINOR..PTMX_MINOR + 1, Arc::new(Multiplexer));
    register_char_device(SLAVE_MAJOR, 0..devpts::MAX_INDEX, Arc::new(Slaves));
}

/// `/dev/ptmx`: each open makes a new pseudo-terminal.
struct Multiplexer;

impl DeviceDriver for Multiplexer {
    fn open(&self, inode: &Arc<Inode>, _: DeviceId, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        let instance = devpts::instance_for(inode)?;
        Ok(MasterFile::open(instance)?)
    }
}

struct Slaves;

impl DeviceDriver for Slaves {
    fn open(
        &self,
        inode: &Arc<Inode>,
        device: DeviceId,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>> {
        let instance = inode.file_system().device();
        let (terminal, link) = find_slave(instance, device.minor).ok_or(Errno::EIO)?;
        if link.is_locked() || link.master_is_closed() {
            return Err(Errno::EIO);
        }
        Ok(TerminalFile::open(terminal, flags, Role::Terminal)?)
    }

    fn opened(&self, file: &Arc<File>) -> Result<()> {
        TerminalFile::opened(file);
        Ok(())
    }
}
