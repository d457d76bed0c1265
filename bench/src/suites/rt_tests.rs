//! rt-tests: hackbench, a crowd of senders and receivers, and cyclictest, how late a timer wakes a thread.

use super::{Case, Scales, Suite, number_after, number_before};
use crate::guest::Ran;

pub(super) fn suite() -> Suite {
    let mut cases = Vec::new();
    for (label, switches) in [
        ("processes, sockets", ""),
        ("processes, pipes", "--pipe"),
        ("threads, sockets", "--threads"),
        ("threads, pipes", "--threads --pipe"),
    ] {
        // Ten senders and ten receivers, every sender writing to every receiver.
        let command = format!("hackbench --groups 1 --fds 10 --loops 100 {switches}");
        let mut case = Case::new("hackbench", label, command).time(seconds);
        case.scales = Scales::Yes;
        cases.push(if switches == "--pipe" { case.headline() } else { case });
    }
    let wakes = "cyclictest --quiet --mlockall --threads=1 --priority=80 --interval=1000 --loops=1000 --nsecs";
    let mut case = Case::new("cyclictest", "mean", wakes).time(mean).headline();
    case.rows.extend(Case::new("cyclictest", "worst", "").time(worst).rows);
    cases.push(case);
    Suite { name: "rt-tests", packages: &["rt-tests"], recipes: &[], devices: false, cases }
}

/// `Time: 0.123`, in seconds.
fn seconds(ran: &Ran) -> Option<f64> {
    number_after(&ran.output, "Time:").map(|time| time * 1e9)
}

/// `T: 0 (  123) P:80 I:1000 C:   1000 Min:  23107 Act:   30212 Avg:   29903 Max:  130213`, in nanoseconds.
fn mean(ran: &Ran) -> Option<f64> {
    number_after(last_report(ran)?, "Avg:")
}

fn worst(ran: &Ran) -> Option<f64> {
    number_after(last_report(ran)?, "Max:")
}

/// The line of the one thread, which is printed anew as time passes.
fn last_report(ran: &Ran) -> Option<&str> {
    let last = ran.output.lines().rfind(|line| line.contains("Avg:"))?;
    (number_before(last, "Avg:").is_some()).then_some(last)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::End;

    fn ran(output: &str) -> Ran {
        Ran { output: output.into(), end: End::Exit(0), elapsed: Duration::from_secs(1) }
    }

    #[test]
    fn a_crowds_time_is_read() {
        let output = "Running in process mode with 1 groups using 20 file descriptors each (== 20 tasks)\n\
                      Each sender will pass 100 messages of 100 bytes\nTime: 0.207\n";
        assert_eq!(seconds(&ran(output)), Some(0.207e9));
    }

    #[test]
    fn wake_up_latencies_are_read() {
        let output = "# /dev/cpu_dma_latency set to 0us\n\
                      T: 0 (   58) P:80 I:1000 C:   1000 Min:  23107 Act:   30212 Avg:   29903 Max:  130213\n";
        assert_eq!(mean(&ran(output)), Some(29903.0));
        assert_eq!(worst(&ran(output)), Some(130_213.0));
        assert_eq!(mean(&ran("Unable to change scheduling policy!\n")), None);
    }
}
