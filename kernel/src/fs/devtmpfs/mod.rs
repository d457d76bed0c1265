//! devtmpfs: a tmpfs in which the kernel makes the nodes of its devices (`/dev`).
//!
//! There is one instance, however often it is mounted. User space may change it like any tmpfs. The devices that need no
//! hardware are in [`mem`] and [`kmsg`].

mod kmsg;
mod mem;

use super::{
    DeviceId, FileMode, FileSystem, FileType, Inode,
    mount::FileSystemType,
    tmpfs::{Options, Tmpfs},
};
use crate::{
    process::Credentials,
    sync::Once,
    time::rtc_device,
    tty::{console::AUX_MAJOR, pty, serial},
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc, vec::Vec};

static INSTANCE: Once<Arc<dyn FileSystem>> = Once::new();

/// Set when the nodes of the boot's devices are there: from the first mount on.
static POPULATED: Once<()> = Once::new();

/// Major number of the devices in [`mem`] and of `kmsg`.
pub const MEM_MAJOR: u32 = 1;

/// Makes a device node at `path` below `/dev`, and the directories it needs.
pub fn add(path: &str, device: DeviceId, mode: u16) -> Result<()> {
    let fs = INSTANCE.get().ok_or(Errno::ENODEV)?;
    let who = Credentials::root();
    let mut dir = fs.root();
    let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
    for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
        dir = find_or_create(&dir, parent, FileType::Directory, 0o755, DeviceId::default(), &who)?;
    }
    find_or_create(&dir, name, FileType::CharDevice, mode, device, &who).map(drop)
}

fn find_or_create(
    dir: &Arc<Inode>,
    name: &str,
    kind: FileType,
    mode: u16,
    device: DeviceId,
    who: &Credentials,
) -> Result<Arc<Inode>> {
    let _entries = dir.lock().write();
    match dir.ops().lookup(dir, name.as_bytes()) {
        Err(Errno::ENOENT) => {
            dir.ops().create(dir, name.as_bytes(), kind, FileMode(mode), device, who)
        }
        found => found,
    }
}

struct DevTmpFs;

impl FileSystemType for DevTmpFs {
    fn name(&self) -> &'static str {
        "devtmpfs"
    }
    fn mount(&self, _: &[u8], _: &[u8]) -> Result<Arc<dyn FileSystem>> {
        POPULATED.call_once(populate);
        INSTANCE.get().cloned().ok_or(Errno::ENODEV)
    }
}

/// Makes the instance, registers the type and the devices without hardware. Before any driver adds a node.
pub fn init() -> Result<()> {
    let options = Options { mode: FileMode(0o755), ..Options::defaults() };
    INSTANCE.call_once(|| Tmpfs::new("devtmpfs", options));
    super::mount::register(Arc::new(DevTmpFs));
    mem::init();
    kmsg::init();
    Ok(())
}

/// Makes the nodes of the devices that drivers registered at boot; later ones are added as they come.
fn populate() {
    for (name, device, mode) in nodes() {
        if let Err(errno) = add(&name, device, mode) {
            pr_warn!("devtmpfs: {name}: {errno}");
        }
    }
}

/// Name, number and mode of every character device.
pub fn nodes() -> Vec<(String, DeviceId, u16)> {
    let mut nodes: Vec<_> = [
        ("null", MEM_MAJOR, mem::NULL, 0o666),
        ("zero", MEM_MAJOR, mem::ZERO, 0o666),
        ("full", MEM_MAJOR, mem::FULL, 0o666),
        ("random", MEM_MAJOR, mem::RANDOM, 0o666),
        ("urandom", MEM_MAJOR, mem::URANDOM, 0o666),
        ("kmsg", MEM_MAJOR, kmsg::MINOR, 0o644),
        ("tty", AUX_MAJOR, 0, 0o666),
        ("console", AUX_MAJOR, 1, 0o600),
        ("ptmx", AUX_MAJOR, pty::PTMX_MINOR, 0o666),
    ]
    .map(|(name, major, minor, mode)| (String::from(name), DeviceId { major, minor }, mode))
    .into();
    if rtc_device::is_there() {
        nodes.push((String::from("rtc0"), rtc_device::DEVICE, 0o600));
    }
    nodes.extend(
        serial::terminals().iter().map(|tty| (String::from(tty.name()), tty.device(), 0o600)),
    );
    nodes
}
