//! The kernel's parameters, from its command line. What is not a parameter of the kernel goes to
//! init, as on Linux: with a value into its environment, without one onto its arguments.
#![forbid(unsafe_code)]

use arrayvec::ArrayVec;

use crate::{arch::boot, sync::Once};

/// Most words that init can be given, as on Linux (`CONFIG_INIT_ENV_ARG_LIMIT`).
const INIT_LIMIT: usize = 32;

/// The parameters.
#[derive(Default)]
pub struct Params {
    /// `console=`: the consoles in order; the last is `/dev/console`.
    pub consoles: ArrayVec<&'static str, 8>,
    /// `init=`, or `rdinit=`: the program to start with.
    pub init: Option<&'static str>,
    /// `kbench`, `kbench=`: measure these things, or all there are, instead of starting a program.
    pub kbench: Option<&'static str>,
    /// `loglevel=`, `quiet`, `debug`: messages of a lower number are printed.
    pub log_level: Option<u8>,
    /// `maxcpus=`, `nosmp`: how many CPUs to start.
    pub max_cpus: Option<usize>,
    /// `mem=`: memory above this address is not used.
    pub mem: Option<usize>,
    /// `numa=off`: all memory and CPUs are one node.
    pub numa_off: bool,
    /// `panic=`: seconds until a restart after a panic; 0 waits for ever, less restarts at once.
    pub panic: i64,
    /// `rcutorture=`: so many seconds of [`crate::sync::rcu_torture`].
    pub rcu_torture: Option<u64>,
    /// `nopcid`: CPUs forget an address space when they leave it.
    pub no_pcid: bool,
    /// `noinvpcid`: programs are not told of the instruction; the kernel never uses it.
    pub no_invpcid: bool,
    /// `norandmaps`: no address space layout randomisation.
    pub no_randomize: bool,
    /// Arguments for init.
    pub init_arguments: ArrayVec<&'static str, INIT_LIMIT>,
    /// Environment for init.
    pub init_environment: ArrayVec<&'static str, INIT_LIMIT>,
}

static PARAMS: Once<Params> = Once::new();

/// The parameters.
pub fn get() -> &'static Params {
    PARAMS.call_once(|| parse(boot::info().command_line()))
}

fn parse(command_line: &'static str) -> Params {
    let mut params = Params::default();
    for argument in cmdline::parse(command_line) {
        let number = || argument.value.and_then(|value| value.parse::<i64>().ok());
        let is = |name| !argument.for_init && cmdline::same_name(argument.name, name);
        // Beyond the limits Linux panics; here words beyond them are dropped.
        if is("console") {
            let _ = params.consoles.try_push(argument.value.unwrap_or(""));
        } else if is("init") || is("rdinit") {
            params.init = argument.value;
            // Linux forgets the arguments seen before `init=`: they were for another init.
            params.init_arguments.clear();
        } else if is("kbench") {
            params.kbench = Some(argument.value.unwrap_or(""));
        } else if is("loglevel") {
            params.log_level = number().and_then(|level| u8::try_from(level).ok());
        } else if is("quiet") {
            params.log_level = Some(4);
        } else if is("debug") {
            params.log_level = Some(10);
        } else if is("maxcpus") {
            params.max_cpus = number().and_then(|count| usize::try_from(count).ok());
        } else if is("nosmp") {
            params.max_cpus = Some(1);
        } else if is("mem") {
            let size = argument.value.and_then(cmdline::parse_size);
            params.mem = size.and_then(|size| usize::try_from(size).ok());
        } else if is("numa") {
            params.numa_off = argument.value == Some("off");
        } else if is("panic") {
            params.panic = number().unwrap_or(0);
        } else if is("rcutorture") {
            params.rcu_torture = number().and_then(|seconds| u64::try_from(seconds).ok());
        } else if is("nopcid") {
            params.no_pcid = true;
        } else if is("noinvpcid") {
            params.no_invpcid = true;
        } else if is("norandmaps") {
            params.no_randomize = true;
        } else if ["root", "ro", "rw", "rootfstype", "nokaslr"].into_iter().any(is) {
            // Parameters of Linux that say what is the case here anyway.
        } else if argument.value.is_none() || argument.for_init {
            let _ = params.init_arguments.try_push(argument.text);
        } else if !argument.name.contains('.') {
            // A dot makes it a parameter of a module, which init is not told.
            let _ = params.init_environment.try_push(argument.text);
        }
    }
    params
}
