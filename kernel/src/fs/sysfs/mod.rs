//! sysfs: the kernel's objects as a tree (`sysfs(5)`), as far as libraries and the shell's tools read it.
//!
//! There is one instance. The tree is built at its first mount from what the drivers have registered by then: CPUs and NUMA
//! nodes (`system`), and the character devices, each once below `/sys/devices`, with links to it from `/sys/class` and
//! `/sys/dev`. Network interfaces (`network`) are looked up at each step, as they come, go and change their names. No locks of
//! its own.

mod huge_pages;
mod network;
mod system;

use super::{
    DeviceId, FileSystem, Inode, devtmpfs,
    mount::FileSystemType,
    synthetic::{Attributes, StaticDir, SyntheticFs},
};
use crate::{sync::Once, tty::console};
use abi::Result;
use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};

const MAGIC: u64 = 0x6265_6572;

static INSTANCE: Once<Arc<SyntheticFs>> = Once::new();

struct SysFs;

impl FileSystemType for SysFs {
    fn name(&self) -> &'static str {
        "sysfs"
    }
    fn mount(&self, _: &[u8], _: &[u8]) -> Result<Arc<dyn FileSystem>> {
        Ok(INSTANCE.call_once(|| SyntheticFs::new("sysfs", MAGIC, build)).clone())
    }
}

/// Registers the type.
pub fn init() {
    super::mount::register(Arc::new(SysFs));
}

/// A directory under construction.
struct Dir<'a> {
    fs: &'a Arc<SyntheticFs>,
    entries: Arc<StaticDir>,
}

impl<'a> Dir<'a> {
    fn root(fs: &'a Arc<SyntheticFs>) -> (Arc<Inode>, Dir<'a>) {
        let (inode, entries) = fs.dir(Attributes::root(0o555), Vec::new());
        (inode, Dir { fs, entries })
    }

    fn dir(&self, name: &str) -> Dir<'a> {
        let (inode, entries) = self.fs.dir(Attributes::root(0o755), Vec::new());
        self.entries.add(name.as_bytes(), inode);
        Dir { fs: self.fs, entries }
    }

    /// A file of one line.
    fn line(&self, name: &str, show: impl Fn() -> String + Send + Sync + 'static) {
        let inode = self.fs.text(Attributes::root(0o444), move |out| {
            out.push_str(&show());
            out.push('\n');
            Ok(())
        });
        self.entries.add(name.as_bytes(), inode);
    }

    /// A file of one line that takes a new value.
    fn setting(
        &self,
        name: &str,
        show: impl Fn() -> String + Send + Sync + 'static,
        store: impl Fn(&[u8]) -> Result<()> + Send + Sync + 'static,
    ) {
        let show = move |out: &mut String| {
            out.push_str(&show());
            out.push('\n');
            Ok(())
        };
        let inode =
            self.fs.writable_text(Attributes::root(0o644), Some(Box::new(show)), Box::new(store));
        self.entries.add(name.as_bytes(), inode);
    }

    fn text(&self, name: &str, show: impl Fn() -> String + Send + Sync + 'static) {
        let inode = self.fs.text(Attributes::root(0o444), move |out| {
            out.push_str(&show());
            Ok(())
        });
        self.entries.add(name.as_bytes(), inode);
    }

    fn link(&self, name: &str, target: String) {
        let inode =
            self.fs.symlink(Attributes::root(0o777), move || Ok(target.clone().into_bytes()));
        self.entries.add(name.as_bytes(), inode);
    }
}

fn build(fs: &Arc<SyntheticFs>) -> Arc<Inode> {
    let (inode, root) = Dir::root(fs);
    for name in ["block", "bus", "firmware", "fs", "module", "power"] {
        root.dir(name);
    }
    let class = root.dir("class");
    let dev = root.dir("dev");
    let dev_char = dev.dir("char");
    dev.dir("block");
    let devices = root.dir("devices");
    let virt = devices.dir("virtual");
    let platform = devices.dir("platform").dir("serial8250").dir("tty");
    class.dir("block");
    network::build(&class, &virt);
    let groups =
        [("mem", class.dir("mem"), virt.dir("mem")), ("tty", class.dir("tty"), virt.dir("tty"))];
    for (name, device, _) in devtmpfs::nodes() {
        let (group, links, home) =
            if device.major == devtmpfs::MEM_MAJOR { &groups[0] } else { &groups[1] };
        let serial = name.starts_with("ttyS");
        let home = if serial { &platform } else { home };
        let place = if serial {
            format!("platform/serial8250/tty/{name}")
        } else {
            format!("virtual/{group}/{name}")
        };
        let dir = home.dir(&name);
        describe(&dir, group, &name, device, serial);
        if name == "console" {
            dir.line("active", || {
                console::terminal().map_or_else(String::new, |tty| String::from(tty.name()))
            });
        }
        links.link(&name, format!("../../devices/{place}"));
        let DeviceId { major, minor } = device;
        dev_char.link(&format!("{major}:{minor}"), format!("../../devices/{place}"));
    }
    system::build(&devices.dir("system"));
    kernel(&root.dir("kernel"));
    inode
}

/// A device's directory.
fn describe(dir: &Dir<'_>, group: &'static str, name: &str, device: DeviceId, serial: bool) {
    let DeviceId { major, minor } = device;
    let name = String::from(name);
    dir.line("dev", move || format!("{major}:{minor}"));
    dir.text("uevent", move || format!("MAJOR={major}\nMINOR={minor}\nDEVNAME={name}\n"));
    let up = if serial { "../../../../../" } else { "../../../../" };
    dir.link("subsystem", format!("{up}class/{group}"));
}

fn kernel(dir: &Dir<'_>) {
    for name in ["debug", "security", "tracing"] {
        dir.dir(name);
    }
    let mm = dir.dir("mm");
    mm.dir("hugepages");
    huge_pages::build(&mm.dir("transparent_hugepage"));
}
