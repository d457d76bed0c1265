//! `/dev/console`, which stands for the terminal that the command line names, and `/dev/tty`, which stands for the
//! process's own.

use super::{
    Terminal,
    file::{Role, TerminalFile},
    job_control, serial,
};
use crate::{
    fs::{
        DeviceId, File, FileOps, Inode, OpenFlags,
        inode::{DeviceDriver, register_char_device},
    },
    sync::Once,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// Major number of `/dev/tty`, `/dev/console` and `/dev/ptmx`.
pub const AUX_MAJOR: u32 = 5;

static CONSOLE: Once<Arc<Terminal>> = Once::new();

/// The terminal behind `/dev/console`.
pub fn terminal() -> Option<Arc<Terminal>> {
    CONSOLE.get().cloned()
}

pub(super) fn init(name: &str) {
    if let Some(terminal) = serial::find(name).or_else(|| serial::terminals().into_iter().next()) {
        CONSOLE.call_once(|| terminal);
    }
    register_char_device(AUX_MAJOR, 0..2, Arc::new(AuxDriver));
}

struct AuxDriver;

impl DeviceDriver for AuxDriver {
    fn open(&self, _: &Arc<Inode>, device: DeviceId, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        let (terminal, role) = match device.minor {
            0 => {
                let own = job_control::current_process().terminal();
                (own.ok_or(Errno::ENXIO)?, Role::Terminal)
            }
            _ => (terminal().ok_or(Errno::ENODEV)?, Role::Console),
        };
        Ok(TerminalFile::open(terminal, flags, role)?)
    }

    fn opened(&self, _: &Arc<File>) -> Result<()> {
        // Neither makes a controlling terminal: /dev/tty is one already, the console is everybody's.
        Ok(())
    }
}
