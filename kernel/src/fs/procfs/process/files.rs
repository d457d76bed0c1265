//! `fd`, `fdinfo`, and the links `cwd`, `root` and `exe`. A link leads to the object itself, whatever its name is now.

use super::{Subject, owner};
use crate::{
    fs::{
        File, FileDesc, FileType, Inode, OpenFlags, Path,
        synthetic::{Attributes, DynamicDir, SyntheticFs},
    },
    process::Task,
};
use abi::{Errno, Result};
use alloc::{
    format,
    sync::{Arc, Weak},
    vec::Vec,
};

/// A link to a place that `find` gets from the task.
fn link(
    fs: &Arc<SyntheticFs>,
    subject: &Subject,
    attributes: Attributes,
    find: impl Fn(&Task) -> Result<Path> + Clone + Send + Sync + 'static,
) -> Arc<Inode> {
    let (for_target, for_follow) = (subject.clone(), subject.clone());
    let find_target = find.clone();
    fs.magic_link(
        attributes,
        move || Ok(find_target(&*for_target.inspect()?)?.to_bytes()),
        move || find(&*for_follow.inspect()?),
    )
}

/// `cwd`.
pub fn cwd(fs: &Arc<SyntheticFs>, subject: &Subject, attributes: Attributes) -> Arc<Inode> {
    link(fs, subject, attributes, |task| {
        task.fs.load().map(|context| context.cwd()).ok_or(Errno::ENOENT)
    })
}

/// `root`.
pub fn root(fs: &Arc<SyntheticFs>, subject: &Subject, attributes: Attributes) -> Arc<Inode> {
    link(fs, subject, attributes, |task| {
        task.fs.load().map(|context| context.root()).ok_or(Errno::ENOENT)
    })
}

/// `exe`: kernel threads and the dead have none.
pub fn exe(fs: &Arc<SyntheticFs>, subject: &Subject, attributes: Attributes) -> Arc<Inode> {
    link(fs, subject, attributes, |task| {
        let program = task.process.executable.lock().clone();
        program.map(|file| file.path().clone()).ok_or(Errno::ENOENT)
    })
}

fn parse_fd(name: &[u8]) -> Option<FileDesc> {
    super::parse_id(name).map(|id| FileDesc(id.0))
}

fn open_file(subject: &Subject, fd: FileDesc) -> Result<Arc<File>> {
    let task = subject.inspect()?;
    task.files.load().and_then(|files| files.load(fd)).ok_or(Errno::ENOENT)
}

/// Which of the two directories of descriptors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Links,
    Info,
}

/// `fd`.
pub fn fd_directory(
    fs: &Arc<SyntheticFs>,
    subject: &Subject,
    attributes: Attributes,
) -> Arc<Inode> {
    directory(fs, subject, attributes, Kind::Links)
}

/// `fdinfo`.
pub fn fdinfo_directory(
    fs: &Arc<SyntheticFs>,
    subject: &Subject,
    attributes: Attributes,
) -> Arc<Inode> {
    directory(fs, subject, attributes, Kind::Info)
}

fn directory(
    fs: &Arc<SyntheticFs>,
    subject: &Subject,
    attributes: Attributes,
    kind: Kind,
) -> Arc<Inode> {
    let dir = Descriptors { fs: Arc::downgrade(fs), subject: subject.clone(), kind };
    fs.dynamic_dir(attributes, Arc::new(dir))
}

struct Descriptors {
    fs: Weak<SyntheticFs>,
    subject: Subject,
    kind: Kind,
}

impl Descriptors {
    fn ino(&self, fd: FileDesc) -> u64 {
        let base = if self.kind == Kind::Links { 1 << 41 } else { 1 << 42 };
        base | u64::from(self.subject.id.0) << 20 | u64::from(fd.0)
    }

    fn link(&self, fs: &Arc<SyntheticFs>, fd: FileDesc, attributes: Attributes) -> Arc<Inode> {
        let (for_target, for_follow) = (self.subject.clone(), self.subject.clone());
        fs.magic_link(
            attributes,
            move || Ok(open_file(&for_target, fd)?.path().to_bytes()),
            move || Ok(open_file(&for_follow, fd)?.path().clone()),
        )
    }

    fn info(&self, fs: &Arc<SyntheticFs>, fd: FileDesc, attributes: Attributes) -> Arc<Inode> {
        let subject = self.subject.clone();
        fs.text(attributes, move |out| {
            let file = open_file(&subject, fd)?;
            let task = subject.get_task()?;
            let number = i32::try_from(fd.0).map_err(|_| Errno::ENOENT)?;
            let cloexec = task.files.load().is_some_and(|files| files.cloexec(number) == Ok(true));
            let mut flags = file.flags().bits() & !OpenFlags::CLOEXEC.bits();
            if cloexec {
                flags |= OpenFlags::CLOEXEC.bits();
            }
            out.push_str(&format!(
                "pos:\t{}\nflags:\t0{flags:o}\nmnt_id:\t{}\nino:\t{}\n",
                file.position(),
                file.path().mount.id(),
                file.inode().ino(),
            ));
            file.ops().show_info(out).map_err(|_| Errno::ENOMEM)
        })
    }
}

impl DynamicDir for Descriptors {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        let fs = self.fs.upgrade().ok_or(Errno::ENOENT)?;
        let fd = parse_fd(name).ok_or(Errno::ENOENT)?;
        let file = open_file(&self.subject, fd)?;
        let (uid, gid) = owner(&*self.subject.get_task()?);
        let flags = file.flags();
        let mode = match self.kind {
            Kind::Info => 0o444,
            Kind::Links => {
                let read = if flags.readable() { 0o500 } else { 0o100 };
                let write = if flags.writable() { 0o300 } else { 0o100 };
                read | write
            }
        };
        let attributes = Attributes::root(mode).owned_by(uid, gid).numbered(self.ino(fd));
        Ok(match self.kind {
            Kind::Links => self.link(&fs, fd, attributes),
            Kind::Info => self.info(&fs, fd, attributes),
        })
    }

    fn list(
        &self,
        from: u64,
        entry: &mut dyn FnMut(&[u8], u64, FileType, u64) -> bool,
    ) -> Result<()> {
        const FIRST: u64 = 2;
        let task = self.subject.inspect()?;
        let files = task.files.load();
        let open: Vec<_> = files.map(|files| files.snapshot()).unwrap_or_default();
        let kind = if self.kind == Kind::Links { FileType::Symlink } else { FileType::Regular };
        for (fd, _) in open {
            let cookie = FIRST + u64::from(fd.0);
            let name = format!("{}", fd.0);
            if cookie >= from && !entry(name.as_bytes(), self.ino(fd), kind, cookie) {
                break;
            }
        }
        Ok(())
    }
}
