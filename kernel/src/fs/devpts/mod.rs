//! devpts: the names of pseudo-terminals in `/dev/pts` (`pts(4)`).
//!
//! Every mount is an instance of its own, with its own numbers from 0. A node appears when a master is opened and goes when
//! it is closed. `/dev/ptmx` outside of a devpts makes its terminals in the oldest instance that is mounted (Linux
//! looks for the `pts` next to the node that was opened). Lock: the table of nodes, a leaf.

use super::{
    Dentry, DeviceId, FileSystem, FileType, Inode, Path,
    mount::FileSystemType,
    mount_tree,
    synthetic::{Attributes, DynamicDir, SyntheticFs},
};
use crate::{
    process::{Gid, Uid},
    sched,
    sync::{SpinLock, class},
    tty::{console::AUX_MAJOR, pty},
};
use abi::{Errno, Result};
use alloc::{
    collections::BTreeMap,
    format,
    sync::{Arc, Weak},
    vec::Vec,
};

/// Numbers are below this (`NR_UNIX98_PTY_MAX`).
pub const MAX_INDEX: u32 = 1 << 20;
/// Major number of masters, which no node shows (`TIOCGDEV`).
pub const MASTER_MAJOR: u32 = 128;

const MAGIC: u64 = 0x1cd1;
const ROOT_INO: u64 = 1;
const PTMX_INO: u64 = 2;
const FIRST_SLAVE_INO: u64 = 3;

/// The live instances, oldest first.
static INSTANCES: SpinLock<Vec<Weak<Instance>>> = SpinLock::new(&class::TABLE, Vec::new());

/// Mount options.
#[derive(Clone, Copy)]
struct Options {
    uid: Option<Uid>,
    gid: Option<Gid>,
    mode: u16,
    ptmx_mode: u16,
    max: u32,
}

impl Options {
    /// `EINVAL` for what is unknown or out of range.
    fn parse(data: &[u8]) -> Result<Options> {
        let mut options =
            Options { uid: None, gid: None, mode: 0o600, ptmx_mode: 0, max: MAX_INDEX };
        let text = core::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let number = |radix| u32::from_str_radix(value, radix).map_err(|_| Errno::EINVAL);
            match name {
                "uid" => options.uid = Some(Uid(number(10)?)),
                "gid" => options.gid = Some(Gid(number(10)?)),
                "mode" => options.mode = (number(8)? & 0o7777) as u16,
                "ptmxmode" => options.ptmx_mode = (number(8)? & 0o7777) as u16,
                "max" => {
                    options.max =
                        Some(number(10)?).filter(|max| *max <= MAX_INDEX).ok_or(Errno::EINVAL)?
                }
                "newinstance" => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }
}

impl super::synthetic::Options for Options {
    fn show(&self, text: &mut alloc::string::String) {
        if let Some(uid) = self.uid {
            *text += &format!(",uid={}", uid.0);
        }
        if let Some(gid) = self.gid {
            *text += &format!(",gid={}", gid.0);
        }
        *text += &format!(",mode={:03o},ptmxmode={:03o}", self.mode, self.ptmx_mode);
        if self.max < MAX_INDEX {
            *text += &format!(",max={}", self.max);
        }
    }

    fn change(&self, data: &[u8]) -> Result<()> {
        Options::parse(data).map(drop)
    }
}

/// A mounted devpts.
pub struct Instance {
    fs: Weak<SyntheticFs>,
    device: DeviceId,
    options: Options,
    ptmx: Arc<Inode>,
    /// Numbers in use; those with a node are visible.
    slaves: SpinLock<BTreeMap<u32, Option<Arc<Inode>>>>,
}

impl Instance {
    /// `st_dev` of its nodes.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Takes the lowest free number; `ENOSPC`.
    pub fn allocate(&self) -> Result<u32> {
        let mut slaves = self.slaves.lock();
        let mut index = 0;
        for used in slaves.keys() {
            if *used != index {
                break;
            }
            index += 1;
        }
        if index >= self.options.max {
            return Err(Errno::ENOSPC);
        }
        slaves.insert(index, None);
        Ok(index)
    }

    /// Makes the node of number `index`. It belongs to whom opens the master, unless the mount says otherwise.
    pub fn show(&self, index: u32, device: DeviceId) {
        let Some(fs) = self.fs.upgrade() else { return };
        let (uid, gid) = {
            let credentials = sched::current().credentials.load();
            (credentials.fsuid, credentials.fsgid)
        };
        let attributes = Attributes::root(self.options.mode)
            .owned_by(self.options.uid.unwrap_or(uid), self.options.gid.unwrap_or(gid))
            .numbered(FIRST_SLAVE_INO + u64::from(index));
        let node = fs.device_node(attributes, FileType::CharDevice, device);
        self.slaves.lock().insert(index, Some(node));
    }

    /// Takes the node away; the number stays in use.
    pub fn hide(&self, index: u32) {
        let node = self.slaves.lock().get_mut(&index).and_then(Option::take);
        drop(node);
    }

    /// Gives the number back.
    pub fn release(&self, index: u32) {
        self.slaves.lock().remove(&index);
    }

    /// Where number `index` is in the tree; `EIO` when it has no node, `ENODEV` when the instance is mounted nowhere any more.
    pub fn path(&self, index: u32) -> Result<Path> {
        let node = self.slaves.lock().get(&index).cloned().flatten().ok_or(Errno::EIO)?;
        let mount = mount_tree::all()
            .into_iter()
            .find(|mount| mount.file_system().device() == self.device)
            .ok_or(Errno::ENODEV)?;
        let parent = Some(Arc::clone(mount.root()));
        let dentry = Dentry::new(parent, format!("{index}").as_bytes(), node);
        Ok(Path { mount, dentry })
    }

    /// The first visible node from number `from` on.
    fn next_from(&self, from: u32) -> Option<(u32, u64)> {
        let slaves = self.slaves.lock();
        let mut rest = slaves.range(from..);
        rest.find_map(|(index, node)| node.as_ref().map(|node| (*index, node.ino())))
    }
}

/// The directory of an instance.
struct Root(Arc<Instance>);

impl DynamicDir for Root {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        if name == b"ptmx" {
            return Ok(Arc::clone(&self.0.ptmx));
        }
        let index = parse_index(name).ok_or(Errno::ENOENT)?;
        self.0.slaves.lock().get(&index).cloned().flatten().ok_or(Errno::ENOENT)
    }

    fn list(
        &self,
        from: u64,
        entry: &mut dyn FnMut(&[u8], u64, FileType, u64) -> bool,
    ) -> Result<()> {
        const PTMX: u64 = 2;
        const FIRST: u64 = 3;
        if from <= PTMX && !entry(b"ptmx", PTMX_INO, FileType::CharDevice, PTMX) {
            return Ok(());
        }
        let Ok(mut next) = u32::try_from(from.saturating_sub(FIRST)) else { return Ok(()) };
        while let Some((index, ino)) = self.0.next_from(next) {
            let name = format!("{index}");
            if !entry(name.as_bytes(), ino, FileType::CharDevice, FIRST + u64::from(index)) {
                break;
            }
            next = index + 1;
        }
        Ok(())
    }
}

/// A number as devpts writes it: no sign, no leading zeros.
fn parse_index(name: &[u8]) -> Option<u32> {
    if name.len() > 1 && name.first() == Some(&b'0') || name.first() == Some(&b'+') {
        return None;
    }
    core::str::from_utf8(name).ok()?.parse().ok()
}

/// The instance in which opening the `ptmx` node `inode` makes a terminal; `ENODEV` when none is mounted.
pub fn instance_for(inode: &Inode) -> Result<Arc<Instance>> {
    let device = inode.file_system().device();
    let instances: Vec<_> = INSTANCES.lock().iter().filter_map(Weak::upgrade).collect();
    instances
        .iter()
        .find(|instance| instance.device == device)
        .or(instances.first())
        .cloned()
        .ok_or(Errno::ENODEV)
}

/// The file system type.
pub struct DevPts;

impl FileSystemType for DevPts {
    fn name(&self) -> &'static str {
        "devpts"
    }

    fn mount(&self, _: &[u8], data: &[u8]) -> Result<Arc<dyn FileSystem>> {
        let options = Options::parse(data)?;
        let fs = SyntheticFs::new("devpts", MAGIC, |fs| {
            let ptmx = fs.device_node(
                Attributes::root(options.ptmx_mode).numbered(PTMX_INO),
                FileType::CharDevice,
                DeviceId { major: AUX_MAJOR, minor: pty::PTMX_MINOR },
            );
            let instance = Arc::new(Instance {
                fs: Arc::downgrade(fs),
                device: fs.device(),
                options,
                ptmx,
                slaves: SpinLock::new(&class::TABLE, BTreeMap::new()),
            });
            {
                let mut instances = INSTANCES.lock();
                instances.retain(|other| other.strong_count() > 0);
                instances.push(Arc::downgrade(&instance));
            }
            fs.dynamic_dir(
                Attributes::root(0o755).numbered(ROOT_INO).links(2),
                Arc::new(Root(instance)),
            )
        });
        fs.set_options(Arc::new(options));
        Ok(fs)
    }
}

/// Registers the type.
pub fn init() {
    super::mount::register(Arc::new(DevPts));
}
