//! stress-ng: operations a second of single stressors, one a kernel mechanism.
//!
//! Its operations ("bogo-ops") mean something only beside the same stressor on another kernel, which is all that is
//! done with them here. Every stressor runs for a fixed time, so the clock that counts instructions shows them, too.

use super::{Case, Scales, Suite};
use crate::guest::Ran;

/// The stressors, each alone, with as many workers as there are CPUs. Left out are those that manage one operation a second or
/// two (clone, link, mmap), those that do not run as root (exec), and those that do what a row of another suite does (access, chmod,
/// dir, fcntl, fifo, nanosleep, null, poll, sem-sysv, zero): two kernels and five rounds make a quarter of a minute of every one.
const STRESSORS: [&str; 25] = [
    "brk", "dentry", "dup", "epoll", "eventfd", "fault", "fork", "futex", "getdent", "kill", "mq",
    "msg", "mutex", "pipe", "pthread", "rename", "sem", "sendfile", "shm", "sigq", "splice",
    "switch", "timerfd", "vfork", "yield",
];
/// Those whose workers meet in what the kernel shares between CPUs (names, memory, run queues, ids), measured with several.
const SHARING: [&str; 12] = [
    "brk", "dentry", "fault", "fork", "futex", "kill", "mutex", "pipe", "pthread", "rename", "shm",
    "switch",
];

pub(super) fn suite() -> Suite {
    let case = |stressor: &&'static str| {
        let command = format!(
            "stress-ng --{stressor} 0 --timeout 1 --metrics-brief --no-rand-seed --temp-path ."
        );
        let mut case = Case::new("stress-ng", stressor, command).rate("operation", operations);
        if SHARING.contains(stressor) {
            case.scales = Scales::Yes;
        }
        case
    };
    let cases = STRESSORS.iter().map(case).collect();
    Suite { name: "stress-ng", packages: &["stress-ng"], recipes: &[], devices: false, cases }
}

/// The sixth word of the line of figures: operations in a second of real time.
///
/// `stress-ng: metrc: [42] pipe  160928  1.00  0.20  0.79  160871.33  162553.54`
fn operations(ran: &Ran) -> Option<f64> {
    let line = ran.output.lines().rfind(|line| {
        line.contains("metrc:")
            && line.split_whitespace().last().is_some_and(|word| word.parse::<f64>().is_ok())
    })?;
    let (_, figures) = line.split_once(']')?;
    figures.split_whitespace().nth(5)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::End;

    #[test]
    fn operations_a_second_are_read() {
        let output = "stress-ng: info:  [42] dispatching hogs: 1 pipe\n\
            stress-ng: metrc: [42] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s\n\
            stress-ng: metrc: [42]                           (secs)    (secs)    (secs)   (real time) (usr+sys time)\n\
            stress-ng: metrc: [42] pipe              160928      1.00      0.20      0.79    160871.33      162553.54\n\
            stress-ng: info:  [42] skipped: 0\n";
        let ran = |output: &str| Ran {
            output: output.into(),
            end: End::Exit(0),
            elapsed: Duration::from_secs(1),
        };
        assert_eq!(operations(&ran(output)), Some(160_871.33));
        assert_eq!(operations(&ran("stress-ng: error: [42] no such stressor\n")), None);
    }
}
