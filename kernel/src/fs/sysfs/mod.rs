//! sysfs: the kernel's objects as a tree (`sysfs(5)`), as far as libraries and the shell's tools read it.
//!
//! There is one instance. The tree is built at its first mount from what the drivers have registered by then: CPUs, one
//! memory node, and the character devices, each once below `/sys/devices`, with links to it from `/sys/class` and
//! `/sys/dev`. No locks of its own.

use super::{
    DeviceId, FileSystem, Inode, devtmpfs,
    mount::FileSystemType,
    synthetic::{Attributes, StaticDir, SyntheticFs},
};
use crate::{arch::cpu, mm::MemoryStats, sync::Once, tty::console};
use abi::Result;
use alloc::{format, string::String, sync::Arc, vec::Vec};

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
    for name in ["block", "net"] {
        class.dir(name);
    }
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
    system(&devices.dir("system"));
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

fn cpu_range() -> String {
    match cpu::online_count() {
        1 => String::from("0"),
        n => format!("0-{}", n - 1),
    }
}

fn system(dir: &Dir<'_>) {
    let cpus = dir.dir("cpu");
    for name in ["online", "possible", "present"] {
        cpus.line(name, cpu_range);
    }
    cpus.line("offline", String::new);
    cpus.line("kernel_max", || format!("{}", cpu::MAX_CPUS - 1));
    for index in 0..cpu::online_count() {
        let one = cpus.dir(&format!("cpu{index}"));
        let topology = one.dir("topology");
        topology.line("core_id", move || format!("{index}"));
        topology.line("physical_package_id", || String::from("0"));
        for name in ["thread_siblings_list", "core_cpus_list"] {
            topology.line(name, move || format!("{index}"));
        }
        for name in ["thread_siblings", "core_cpus"] {
            topology.line(name, move || format!("{:x}", 1_u64 << index));
        }
        for name in ["core_siblings_list", "package_cpus_list"] {
            topology.line(name, cpu_range);
        }
        one.link("node0", String::from("../../node/node0"));
    }
    let nodes = dir.dir("node");
    for name in ["online", "possible", "has_cpu", "has_memory", "has_normal_memory"] {
        nodes.line(name, || String::from("0"));
    }
    let node = nodes.dir("node0");
    node.line("cpulist", cpu_range);
    node.line("cpumap", || {
        let count = cpu::online_count();
        let mask = if count >= 64 { u64::MAX } else { (1 << count) - 1 };
        format!("{mask:x}")
    });
    node.line("distance", || String::from("10"));
    node.text("meminfo", node_meminfo);
    for index in 0..cpu::online_count() {
        node.link(&format!("cpu{index}"), format!("../../cpu/cpu{index}"));
    }
}

fn node_meminfo() -> String {
    let now = MemoryStats::now();
    let mut out = String::new();
    for (name, pages) in [
        ("MemTotal:", now.total),
        ("MemFree:", now.free),
        ("MemUsed:", now.total.saturating_sub(now.free)),
        ("FilePages:", now.page_cache),
        ("Mapped:", now.mapped),
        ("AnonPages:", now.anonymous),
        ("Shmem:", now.shmem),
        ("KernelStack:", now.kernel_stacks),
        ("PageTables:", now.page_tables),
        ("Slab:", now.slab),
    ] {
        out += &format!("Node 0 {name:<15} {:8} kB\n", pages * 4);
    }
    out
}

fn kernel(dir: &Dir<'_>) {
    for name in ["debug", "security", "tracing"] {
        dir.dir(name);
    }
    let mm = dir.dir("mm");
    mm.dir("hugepages");
    let thp = mm.dir("transparent_hugepage");
    thp.line("enabled", || String::from("always madvise [never]"));
    // What an entry one level up maps.
    thp.line("hpage_pmd_size", || String::from("2097152"));
}
