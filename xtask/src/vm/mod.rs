//! `cargo xtask vm`: boots a kernel in QEMU with the root file system and runs one command.
//!
//! The machine has two serial ports. The first is the kernel's console; with a command it goes to a
//! log file, without one it is this terminal. The second carries the command's output, followed by a
//! line with a nonce and the exit status that init writes last ([`output`] takes it off).

mod accelerator;
mod numa;
mod output;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::build::{self, Built, Profile};
use crate::error::{AtPath, Error, Result};
use crate::initrd::{self, Job};
use crate::linux::Linux;
use crate::{iso, paths, process, rootfs};
use accelerator::Accelerator;
use output::OutputFilter;

/// The exit status for a job that ran out of time, as coreutils' `timeout` has it.
pub const TIMED_OUT: i32 = 124;
/// The exit status for a kernel that panicked, or ended before init reported.
pub const PANICKED: i32 = 125;

/// When a machine that counts instructions believes to be started, and that in seconds since 1970.
const COUNTED_DATE: (&str, u32) = ("2024-01-01", 1_704_067_200);

/// The console lines quoted after a panic.
const LAST_WORDS: usize = 40;
const POLL: Duration = Duration::from_millis(5);

/// Which kernel runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kernel {
    /// Ours.
    Nos,
    /// Debian's cloud kernel, the reference.
    Linux,
}

impl Kernel {
    /// The name in messages and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nos => "nos",
            Self::Linux => "linux",
        }
    }
}

/// How NOS is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Boot {
    /// QEMU starts our loader by its PVH note.
    Direct,
    /// From an ISO image with Limine; needs `LIMINE_DIR`.
    Limine,
}

/// What the virtual machine's network card is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Net {
    /// There is no card.
    None,
    /// QEMU's user-mode network.
    User,
}

/// The virtual machine and what runs in it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The kernel to boot.
    #[arg(long, value_enum, default_value = "nos")]
    pub on: Kernel,
    /// The number of CPUs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    pub smp: u32,
    /// The size of the memory, as QEMU writes it.
    #[arg(long, default_value = "1G")]
    pub mem: String,
    /// The number of NUMA nodes; memory and CPUs are shared out evenly among them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub nodes: u32,
    /// Count guest instructions: one a nanosecond, every run the same.
    #[arg(long)]
    pub icount: bool,
    /// QEMU's CPU model; by default all that the accelerator offers.
    #[arg(long)]
    pub cpu: Option<String>,
    /// A folder whose content is laid over the root file system; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub overlay: Vec<PathBuf>,
    /// A raw image that becomes a virtio disk; may be repeated.
    #[arg(long, value_name = "IMG")]
    pub disk: Vec<PathBuf>,
    /// What the network card is connected to.
    #[arg(long, value_enum, default_value = "none")]
    pub net: Net,
    /// Start Linux with its own defaults instead of `mitigations=off tsc=reliable`.
    #[arg(long)]
    pub stock: bool,
    /// Words to add to the kernel's command line.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub append: String,
    /// Seconds until the machine is stopped and the exit status is 124.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// How NOS is started.
    #[arg(long, value_enum, default_value = "direct")]
    pub boot: Boot,
    /// A file for the command's standard input, `-` for this program's own.
    #[arg(long, value_name = "FILE")]
    pub stdin: Option<PathBuf>,
    /// A variable for the command's environment; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Where the kernel's messages go when a command runs.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Build the kernel with debug assertions.
    #[arg(long)]
    pub debug: bool,
    /// Boot what was built last, without looking whether it is up to date.
    #[arg(long)]
    pub no_build: bool,
    /// Wait for gdb on port 1234 before the first instruction.
    #[arg(long)]
    pub gdb: bool,
    /// Say nothing but errors on standard error.
    #[arg(long)]
    pub quiet: bool,
    /// The command and its arguments; without one, an interactive shell.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Init reported this exit status.
    Status(i32),
    /// The time limit was reached.
    TimedOut,
    /// The machine stopped before init reported.
    Panicked,
}

impl Ending {
    /// The status to exit with.
    pub fn code(self) -> i32 {
        match self {
            Self::Status(status) => status,
            Self::TimedOut => TIMED_OUT,
            Self::Panicked => PANICKED,
        }
    }
}

/// A finished job: how it ended, what it printed, what the kernel said.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// What the command printed.
    pub output: Vec<u8>,
    /// The kernel's messages.
    pub log: PathBuf,
    /// The time from the machine's start to the first byte that the command printed.
    pub first_output: Option<Duration>,
}

impl Outcome {
    /// The end of what the kernel said.
    pub fn last_words(&self) -> String {
        last_words(&self.log)
    }
}

/// Boots, runs the command or a shell, and returns the status to exit with.
pub fn vm(options: &Options) -> Result<i32> {
    let prepared = Prepared::new(options)?;
    if options.command.is_empty() {
        return prepared.interact();
    }
    if !options.quiet {
        eprintln!("kernel messages go to {}", prepared.log.display());
    }
    let ending = prepared.run(&mut std::io::stdout(), &options.deadline())?;
    match ending {
        Ending::Status(_) => {}
        Ending::TimedOut => eprintln!("the time limit was reached"),
        Ending::Panicked => {
            eprintln!("{} stopped before the command ended; its last words:", options.on.name());
            eprintln!("{}", last_words(&prepared.log));
        }
    }
    Ok(ending.code())
}

/// A moment at which a machine is stopped, which may be moved while it runs.
#[derive(Debug, Default)]
pub struct Deadline(Mutex<Option<Instant>>);

impl Deadline {
    /// Moves it to `limit` from now.
    pub fn set(&self, limit: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + limit);
    }

    fn has_passed(&self) -> bool {
        let moment = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moment.is_some_and(|moment| Instant::now() >= moment)
    }
}

/// Boots, runs the command, and writes what it prints to `output` as it comes; stops at the deadline.
pub fn run_until(
    options: &Options,
    mut output: impl Write + Send,
    deadline: &Deadline,
) -> Result<Ending> {
    Prepared::new(options)?.run(&mut output, deadline)
}

/// Boots, runs the command, and keeps what it printed. Linux gets a second try if it dies: it patches its own code while it runs, and with multi-threaded
/// TCG another CPU now and then executes what is half patched (`Oops: int3`).
pub fn run(options: &Options) -> Result<Outcome> {
    let outcome = run_into(options, std::io::sink())?;
    if options.on == Kernel::Linux && outcome.ending == Ending::Panicked {
        return run_into(options, std::io::sink());
    }
    Ok(outcome)
}

/// The same, writing what it prints into the file `copy` too, as it comes.
pub fn run_logged(options: &Options, copy: &Path) -> Result<Outcome> {
    run_into(options, fs::File::create(copy).at(copy)?)
}

fn run_into(options: &Options, copy: impl Write + Send) -> Result<Outcome> {
    let prepared = Prepared::new(options)?;
    let mut tee = Tee { kept: Vec::new(), copy, start: Instant::now(), first: None };
    let ending = prepared.run(&mut tee, &options.deadline())?;
    let log = prepared.log.clone();
    Ok(Outcome { ending, output: tee.kept, log, first_output: tee.first })
}

/// Boots a kernel that does something by itself and then turns the machine off: [`Ending::Status`] of 0. The options
/// have no command. What it said is in [`Outcome::log`].
pub fn run_kernel(options: &Options) -> Result<Outcome> {
    let prepared = Prepared::new(options)?;
    let mut qemu = prepared.qemu_without_terminal()?;
    qemu.args(["-serial", "null"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = start(&mut qemu)?;
    let ending = match wait(&mut child, &options.deadline()) {
        Some(status) if status.success() => Ending::Status(0),
        Some(_) => Ending::Panicked,
        None => Ending::TimedOut,
    };
    Ok(Outcome { ending, output: Vec::new(), log: prepared.log, first_output: None })
}

/// Keeps what is written and when it began, and writes it on.
struct Tee<W> {
    kept: Vec<u8>,
    copy: W,
    start: Instant,
    first: Option<Duration>,
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !bytes.is_empty() && self.first.is_none() {
            self.first = Some(self.start.elapsed());
        }
        self.kept.extend_from_slice(bytes);
        self.copy.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.copy.flush()
    }
}

/// A machine whose files are all in place.
struct Prepared<'a> {
    options: &'a Options,
    /// Holds the ramdisk, as long as the machine runs.
    work: tempfile::TempDir,
    log: PathBuf,
    job: Job,
    boot: BootFiles,
}

/// What QEMU is given to boot from.
enum BootFiles {
    Direct { kernel: PathBuf, initrd: PathBuf },
    Iso(PathBuf),
}

impl<'a> Prepared<'a> {
    fn new(options: &'a Options) -> Result<Self> {
        let work = tempfile::tempdir().at(std::env::temp_dir())?;
        let log = match &options.log {
            Some(path) => path.clone(),
            None => paths::log(&format!("{}-{}.log", options.on.name(), std::process::id()))?,
        };
        let job = job(options)?;
        let mut archives = vec![rootfs::archive()?];
        // A kernel takes an instruction more or less to read another date of a file, and then its random numbers are others.
        let newest = options.icount.then_some(COUNTED_DATE.1);
        archives.extend(initrd::overlay_archives(&options.overlay, newest)?);
        let initrd = work.path().join("initrd");
        let boot = match options.on {
            Kernel::Linux => {
                let linux = Linux::open()?;
                archives.push(initrd::job_archive(&job, |archive| {
                    if options.needs_drivers() { linux.add_modules(archive) } else { Ok(()) }
                })?);
                initrd::write(&initrd, &archives)?;
                BootFiles::Direct { kernel: linux.image, initrd }
            }
            Kernel::Nos => {
                let built = built(options)?;
                archives.push(initrd::job_archive(&job, |_| Ok(()))?);
                if options.boot == Boot::Direct {
                    archives.insert(0, initrd::kernel_archive(&built.kernel)?);
                    initrd::write(&initrd, &archives)?;
                    BootFiles::Direct { kernel: built.loader, initrd }
                } else {
                    initrd::write(&initrd, &archives)?;
                    let image = work.path().join("nos.iso");
                    let command_line = command_line(options);
                    iso::pack(&built.kernel, &initrd, &command_line, None, &image)?;
                    BootFiles::Iso(image)
                }
            }
        };
        Ok(Self { options, work, log, job, boot })
    }

    /// Runs the command and writes what it prints to `output`.
    fn run(&self, output: &mut (impl Write + Send), deadline: &Deadline) -> Result<Ending> {
        let mut qemu = self.qemu_without_terminal()?;
        qemu.args(["-chardev", "stdio,id=job,signal=off", "-serial", "chardev:job"]);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = start(&mut qemu)?;
        let mut port = child.stdout.take();
        let mut filter = OutputFilter::new(&self.job.nonce);
        let mut timed_out = false;
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut buffer = vec![0; 64 << 10];
                while let Some(port) = port.as_mut() {
                    match port.read(&mut buffer) {
                        Ok(0) | Err(_) => break,
                        Ok(count) => {
                            // A reader that went away must not stop the machine.
                            _ = output.write_all(&filter.push(&buffer[..count]));
                            _ = output.flush();
                        }
                    }
                }
            });
            timed_out = wait(&mut child, deadline).is_none();
            _ = reader.join();
        });
        let (rest, status) = filter.finish();
        _ = output.write_all(&rest);
        _ = output.flush();
        Ok(match status {
            Some(status) => Ending::Status(status),
            None if timed_out => Ending::TimedOut,
            None => Ending::Panicked,
        })
    }

    /// Gives the terminal to the machine until it is switched off.
    fn interact(&self) -> Result<i32> {
        eprintln!("Ctrl-A X leaves; Ctrl-A C toggles QEMU's monitor");
        let mut qemu = self.qemu()?;
        qemu.args(["-display", "none", "-serial", "mon:stdio"]);
        let mut child = start(&mut qemu)?;
        let status = child.wait().at(self.work.path())?;
        Ok(status.code().unwrap_or(PANICKED))
    }

    /// QEMU, with the console going to the log.
    fn qemu_without_terminal(&self) -> Result<Command> {
        let mut qemu = self.qemu()?;
        qemu.args(["-display", "none", "-monitor", "none"]);
        qemu.arg("-chardev").arg(format!("file,id=console,path={}", self.log.display()));
        qemu.args(["-serial", "chardev:console"]);
        Ok(qemu)
    }

    fn qemu(&self) -> Result<Command> {
        let options = self.options;
        let accelerator = Accelerator::choose();
        if !options.quiet {
            eprintln!("{}", accelerator.describe(options));
        }
        // The machine must not outlive this program, however it ends.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        qemu.args(["-nodefaults", "-no-reboot", "-machine", "q35", "-m", &options.mem]);
        qemu.arg("-smp").arg(options.smp.to_string());
        qemu.args(numa::arguments(options)?);
        qemu.arg("-accel").arg(accelerator.argument(options));
        qemu.arg("-cpu").arg(accelerator.cpu(options));
        qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        if options.icount {
            qemu.args(["-icount", "shift=0,sleep=off", "-seed", "1"]);
            qemu.arg("-rtc").arg(format!("base={},clock=vm", COUNTED_DATE.0));
        }
        if options.gdb {
            eprintln!("waiting for gdb: target remote :1234");
            qemu.args(["-s", "-S"]);
        }
        for (index, image) in options.disk.iter().enumerate() {
            let file = image.display();
            qemu.arg("-drive").arg(format!("if=none,id=disk{index},format=raw,file={file}"));
            qemu.arg("-device").arg(format!("virtio-blk-pci,drive=disk{index}"));
        }
        match options.net {
            Net::None => qemu.args(["-nic", "none"]),
            Net::User => qemu.args(["-nic", "user,model=virtio-net-pci"]),
        };
        match &self.boot {
            BootFiles::Direct { kernel, initrd } => {
                qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(initrd);
                qemu.arg("-append").arg(command_line(options));
            }
            BootFiles::Iso(image) => {
                qemu.arg("-cdrom").arg(image);
            }
        }
        Ok(qemu)
    }
}

/// Waits until the machine stops by itself; `None` if it had to be stopped.
fn wait(child: &mut Child, deadline: &Deadline) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if deadline.has_passed() {
            _ = child.kill();
            _ = child.wait();
            return None;
        }
        thread::sleep(POLL);
    }
}

/// The end of what the kernel said in `log`.
pub fn last_words(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    process::last_lines(&String::from_utf8_lossy(&log), LAST_WORDS)
}

impl Options {
    /// The defaults for running `command` on `kernel`.
    pub fn for_command(kernel: Kernel, command: &[&str]) -> Self {
        Self {
            on: kernel,
            smp: 1,
            mem: "1G".into(),
            nodes: 1,
            icount: false,
            cpu: None,
            overlay: Vec::new(),
            disk: Vec::new(),
            net: Net::None,
            stock: false,
            append: String::new(),
            timeout: None,
            boot: Boot::Direct,
            stdin: None,
            env: Vec::new(),
            log: None,
            debug: false,
            no_build: false,
            gdb: false,
            quiet: false,
            command: command.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    /// The kernel's command line.
    pub fn command_line(&self) -> String {
        command_line(self)
    }

    /// QEMU's words for the accelerator and the CPU model.
    pub fn processor(&self) -> (&'static str, String) {
        let accelerator = Accelerator::choose();
        (accelerator.argument(self), accelerator.cpu(self))
    }

    fn deadline(&self) -> Deadline {
        let deadline = Deadline::default();
        if let Some(seconds) = self.timeout {
            deadline.set(Duration::from_secs(seconds));
        }
        deadline
    }

    fn needs_drivers(&self) -> bool {
        !self.disk.is_empty() || self.net != Net::None
    }
}

fn start(qemu: &mut Command) -> Result<Child> {
    if !process::is_available("qemu-system-x86_64") {
        return Err(Error::Usage(
            "qemu-system-x86_64 is missing: install Debian's qemu-system-x86 (`make setup` does)"
                .into(),
        ));
    }
    qemu.spawn().map_err(|source| Error::Start { program: "setpriv".into(), source })
}

fn built(options: &Options) -> Result<Built> {
    let profile = Profile::from_debug_switch(options.debug);
    if options.no_build { build::previous(profile) } else { build::build(profile) }
}

fn job(options: &Options) -> Result<Job> {
    let mut environment = options.env.clone();
    let interactive = options.command.is_empty();
    if interactive {
        let terminal = std::env::var("TERM").unwrap_or_else(|_| "vt100".into());
        environment.insert(0, format!("TERM={terminal}"));
    }
    let stdin = match &options.stdin {
        Some(path) if path == Path::new("-") => {
            let mut data = Vec::new();
            std::io::stdin().read_to_end(&mut data).at("standard input")?;
            Some(data)
        }
        Some(path) => Some(fs::read(path).at(path)?),
        None => None,
    };
    Ok(Job {
        words: options.command.clone(),
        environment,
        stdin,
        nonce: nonce(options),
        terminal_size: if interactive { terminal_size() } else { None },
    })
}

/// Different for every run, except where runs are to be the same to the last bit.
fn nonce(options: &Options) -> String {
    if options.icount {
        return "0".repeat(16);
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = format!("{}:{:?}", std::process::id(), now.unwrap_or_default());
    format!("{:016x}", rootfs::hash(seed.as_bytes()))
}

/// Rows and columns of this terminal, as `stty size` prints them.
fn terminal_size() -> Option<(u16, u16)> {
    let output = Command::new("stty").arg("size").stdin(Stdio::inherit()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (rows, columns) = text.trim().split_once(' ')?;
    Some((rows.parse().ok()?, columns.parse().ok()?))
}

fn command_line(options: &Options) -> String {
    let mut words = vec!["console=ttyS0".to_owned(), "panic=-1".to_owned()];
    if options.on == Kernel::Linux {
        words.extend(["quiet", "reboot=t"].map(String::from));
        if !options.stock {
            // Without the second, Linux distrusts the counter when the host is busy, goes over to a clock that costs an exit a reading, and
            // patches its code to do so, which multi-threaded TCG does not always survive.
            words.extend(["mitigations=off", "tsc=reliable"].map(String::from));
        }
    }
    if options.icount {
        words.extend(["nokaslr", "norandmaps"].map(String::from));
    }
    if !options.append.is_empty() {
        words.push(options.append.clone());
    }
    words.join(" ")
}
