//! What one mount of procfs shows, and to whom (`proc(5)`, "Mount options").

use super::process::may_inspect;
use crate::{
    fs::{current_credentials, synthetic::Options},
    process::{Gid, Task},
};
use abi::{Errno, Result};
use alloc::string::String;
use core::{
    fmt::Write,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
};

/// How much of other people's processes is hidden (`hidepid`), in the order in which more is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Hiding {
    /// Nothing.
    Off,
    /// What is in their directories.
    Entries,
    /// That they are there.
    Existence,
    /// The existence of all that the reader may not trace.
    Untraceable,
}

impl Hiding {
    const NAMED: [(Hiding, &'static str, &'static str); 4] = [
        (Hiding::Off, "0", "off"),
        (Hiding::Entries, "1", "noaccess"),
        (Hiding::Existence, "2", "invisible"),
        (Hiding::Untraceable, "4", "ptraceable"),
    ];

    fn parse(text: &str) -> Result<Hiding> {
        let named = |(_, number, name): &&(_, &str, &str)| text == *number || text == *name;
        Self::NAMED.iter().find(named).map(|(hiding, ..)| *hiding).ok_or(Errno::EINVAL)
    }
}

/// The options of a mount.
pub struct View {
    hiding: AtomicU8,
    /// Whose members nothing is hidden from.
    group: AtomicU32,
    /// `subset=pid`: only processes are there.
    processes_only: AtomicBool,
}

impl View {
    /// By the data of `mount(2)`; `EINVAL`.
    pub fn new(data: &[u8]) -> Result<View> {
        let view = View {
            hiding: AtomicU8::new(0),
            group: AtomicU32::new(0),
            processes_only: AtomicBool::new(false),
        };
        view.change(data)?;
        Ok(view)
    }

    /// Whether only processes are there.
    pub fn processes_only(&self) -> bool {
        self.processes_only.load(Relaxed)
    }

    /// Whether it hides anything from anybody.
    pub fn hides(&self) -> bool {
        self.hiding() != Hiding::Off
    }

    fn hiding(&self) -> Hiding {
        Hiding::NAMED[usize::from(self.hiding.load(Relaxed))].0
    }

    /// Whether the caller gets at what is hidden from `level` on.
    fn admits(&self, task: &Task, level: Hiding) -> bool {
        let hiding = self.hiding();
        let open = hiding != Hiding::Untraceable
            && (hiding < level || current_credentials().in_group(Gid(self.group.load(Relaxed))));
        open || may_inspect(task)
    }

    /// Whether a process is listed.
    pub fn lists(&self, task: &Task) -> bool {
        self.admits(task, Hiding::Existence)
    }

    /// Whether the name of a process leads anywhere; `ENOENT`.
    pub fn check_lookup(&self, task: &Task) -> Result<()> {
        let hidden = self.hiding() == Hiding::Untraceable && !self.lists(task);
        if hidden { Err(Errno::ENOENT) } else { Ok(()) }
    }

    /// Whether the attributes of a process's directory can be asked for; `ENOENT`.
    pub fn check_attributes(&self, task: &Task) -> Result<()> {
        if self.lists(task) { Ok(()) } else { Err(Errno::ENOENT) }
    }

    /// Whether a process's directory can be used; `EPERM`, `ENOENT`.
    pub fn check_entry(&self, task: &Task) -> Result<()> {
        match self.admits(task, Hiding::Entries) {
            true => Ok(()),
            false if self.hiding() == Hiding::Existence => Err(Errno::ENOENT),
            false => Err(Errno::EPERM),
        }
    }
}

impl Options for View {
    fn show(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let group = self.group.load(Relaxed);
        if group != 0 {
            let _ = write!(out, ",gid={group}");
        }
        let (hiding, _, name) = Hiding::NAMED[usize::from(self.hiding.load(Relaxed))];
        if hiding != Hiding::Off {
            let _ = write!(out, ",hidepid={name}");
        }
        if self.processes_only() {
            out.push_str(",subset=pid");
        }
    }

    fn change(&self, data: &[u8]) -> Result<()> {
        let (mut hiding, mut group, mut processes_only) = (None, None, None);
        let text = core::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
        for option in text.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("hidepid", value)) => hiding = Some(Hiding::parse(value)?),
                Some(("gid", value)) => {
                    group = Some(value.parse().map_err(|_| Errno::EINVAL)?);
                }
                Some(("subset", "pid")) => processes_only = Some(true),
                _ => return Err(Errno::EINVAL),
            }
        }
        if let Some(hiding) = hiding {
            self.hiding.store(hiding as u8, Relaxed);
        }
        if let Some(group) = group {
            self.group.store(group, Relaxed);
        }
        if let Some(only) = processes_only {
            self.processes_only.store(only, Relaxed);
        }
        Ok(())
    }
}
