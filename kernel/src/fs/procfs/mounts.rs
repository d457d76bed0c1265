//! `/proc/<pid>/mounts`, `mountinfo` and `mountstats`: the mounts that a process can reach from its root.

use crate::{
    fs::{DeviceId, FsContext, Mount, Path, mount::MountFlags, mount_tree},
    process::Task,
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt::Write;

/// A mount with its place, as seen from a root.
struct Seen {
    mount: Arc<Mount>,
    place: Vec<u8>,
}

fn seen_by(task: &Task) -> Result<Vec<Seen>> {
    // A kernel thread sees what init began with; one that has exited sees nothing any more.
    let context = match task.fs.load() {
        None if task.is_kernel() => FsContext::initial(),
        context => context.ok_or(Errno::EINVAL)?,
    };
    let root = context.root();
    let mut seen = Vec::new();
    for mount in mount_tree::all() {
        let top = Path { mount: Arc::clone(&mount), dentry: Arc::clone(mount.root()) };
        let (place, reachable) = top.render(&root);
        if reachable {
            seen.push(Seen { mount, place });
        }
    }
    Ok(seen)
}

/// Blanks and backslashes become octal escapes (`mangle_path`).
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' | '#' => {
                let _ = write!(out, "\\{:03o}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// The options of a mount itself.
fn mount_options(mount: &Mount) -> String {
    let mut out = String::from(if mount.has(MountFlags::READ_ONLY) { "ro" } else { "rw" });
    for (flag, name) in [
        (MountFlags::NO_SUID, ",nosuid"),
        (MountFlags::NO_DEV, ",nodev"),
        (MountFlags::NO_EXEC, ",noexec"),
        (MountFlags::NO_ATIME, ",noatime"),
        (MountFlags::NO_DIR_ATIME, ",nodiratime"),
        (MountFlags::REL_ATIME, ",relatime"),
        (MountFlags::NO_SYMFOLLOW, ",nosymfollow"),
    ] {
        if mount.has(flag) {
            out.push_str(name);
        }
    }
    out
}

/// The options of the file system: each with a comma before it.
fn fs_options(mount: &Mount) -> String {
    let mut out = String::new();
    if mount.has(MountFlags::SYNCHRONOUS) {
        out.push_str(",sync");
    }
    mount.file_system().show_options(&mut out);
    out
}

/// `mounts`.
pub fn mounts(task: &Task, out: &mut String) -> Result<()> {
    for Seen { mount, place } in seen_by(task)? {
        let read_only = mount.superblock().is_read_only();
        let options = mount_options(&mount);
        let options = match options.strip_prefix("rw") {
            Some(rest) if read_only => alloc::format!("ro{rest}"),
            _ => options,
        };
        let _ = writeln!(
            out,
            "{} {} {} {options}{} 0 0",
            escaped(mount.source()),
            escaped(&place),
            mount.file_system().type_name(),
            fs_options(&mount),
        );
    }
    Ok(())
}

/// `mountinfo`.
pub fn mountinfo(task: &Task, out: &mut String) -> Result<()> {
    for Seen { mount, place } in seen_by(task)? {
        let parent = mount.mountpoint().map_or(mount.id(), |path| path.mount.id());
        let DeviceId { major, minor } = mount.file_system().device();
        let root = Path { mount: Arc::clone(&mount), dentry: Arc::clone(mount.root()) };
        let access = if mount.superblock().is_read_only() { "ro" } else { "rw" };
        let _ = writeln!(
            out,
            "{} {parent} {major}:{minor} {} {} {}{} - {} {} {access}{}",
            mount.id(),
            escaped(&root_in_fs(&root)),
            escaped(&place),
            mount_options(&mount),
            propagation_fields(&mount),
            mount.file_system().type_name(),
            escaped(mount.source()),
            fs_options(&mount),
        );
    }
    Ok(())
}

/// The optional fields: the groups that a mount belongs to and receives from.
fn propagation_fields(mount: &Mount) -> String {
    let state = mount.propagation();
    let mut fields = String::new();
    if let Some(group) = state.group {
        let _ = write!(fields, " shared:{}", group.number());
    }
    if let Some(master) = state.master {
        let _ = write!(fields, " master:{}", master.number());
    }
    if state.unbindable {
        fields.push_str(" unbindable");
    }
    fields
}

/// The path of a mount's root within its file system: `/` unless it is a bind mount of something below.
fn root_in_fs(root: &Path) -> Vec<u8> {
    let mut names = Vec::new();
    let mut dentry = Arc::clone(&root.dentry);
    loop {
        let place = dentry.place();
        let Some(parent) = place.parent.clone() else { break };
        names.push(place.name.to_vec());
        dentry = parent;
    }
    if names.is_empty() {
        return b"/".to_vec();
    }
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

/// `mountstats`.
pub fn mountstats(task: &Task, out: &mut String) -> Result<()> {
    for Seen { mount, place } in seen_by(task)? {
        let _ = writeln!(
            out,
            "device {} mounted on {} with fstype {}",
            escaped(mount.source()),
            escaped(&place),
            mount.file_system().type_name(),
        );
    }
    Ok(())
}
