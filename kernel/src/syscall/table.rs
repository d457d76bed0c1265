//! Number to function. Each area's file lists its own calls, one line each; they are merged here when the kernel is
//! compiled. What is in no list answers `ENOSYS`. docs/syscalls.md is generated from these lists.

use super::{
    attributes, credentials, descriptors, event, files, futex, futex2, memory, mounts, mqueue,
    names, polling, prctl, process, rseq, scheduling, signals, sockets, system, sysv, time,
};
use abi::Result;

/// A system call: takes the six arguments as they are in the registers.
pub type Handler = fn(&[usize; 6]) -> Result<usize>;

/// One more than the highest number in the table.
const COUNT: usize = 512;

/// One area's calls: number, name, function.
pub type Calls = &'static [(u32, &'static str, Handler)];

const AREAS: &[Calls] = &[
    attributes::CALLS,
    credentials::CALLS,
    descriptors::CALLS,
    event::CALLS,
    files::CALLS,
    futex::CALLS,
    futex2::CALLS,
    memory::CALLS,
    mounts::CALLS,
    mqueue::CALLS,
    names::CALLS,
    polling::CALLS,
    prctl::CALLS,
    process::CALLS,
    rseq::CALLS,
    scheduling::CALLS,
    signals::CALLS,
    sockets::CALLS,
    system::CALLS,
    sysv::CALLS,
    time::CALLS,
];

/// The table.
pub static TABLE: [Option<Handler>; COUNT] = {
    let mut table: [Option<Handler>; COUNT] = [None; COUNT];
    let mut area = 0;
    while area < AREAS.len() {
        let calls = AREAS[area];
        let mut i = 0;
        while i < calls.len() {
            let number = calls[i].0 as usize;
            assert!(table[number].is_none(), "a system call number is listed twice");
            table[number] = Some(calls[i].2);
            i += 1;
        }
        area += 1;
    }
    table
};

/// Lists calls as `name => function`, with the number that `<asm/unistd_64.h>` gives the name.
macro_rules! calls {
    ($($name:ident => $function:path;)*) => {
        /// The calls of this area.
        pub const CALLS: $crate::syscall::table::Calls = &[
            $((abi::number::$name, stringify!($name), $function),)*
        ];
    };
}
pub(super) use calls;
