//! rt-tests: hackbench, a crowd of senders and receivers, and cyclictest, how late a timer wakes a thread.

use std::collections::BTreeMap;

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
        let command = format!("hackbench --groups 1 --fds 10 --loops {LOOPS} {switches}");
        let mut case = Case::new("hackbench", label, command).time(hundred_loops);
        case.scales = Scales::Yes;
        cases.push(if switches == "--pipe" { case.headline() } else { case });
    }
    let mut case = cyclictest("", 1, "").headline();
    cases.push(case);
    // Senders and receivers that never end keep every CPU busy.
    case = cyclictest(
        ", 4 threads beside a crowd",
        4,
        "(while :; do hackbench --groups 2 --fds 10 --loops 1000; done) >/dev/null 2>&1 & ",
    );
    case.scales = Scales::Yes;
    cases.push(case);
    Suite { name: "rt-tests", packages: &["rt-tests"], recipes: &[], devices: false, cases }
}

/// How late `threads` real-time threads wake, a thousand times each, beside what `others` starts.
fn cyclictest(label: &str, threads: u32, others: &str) -> Case {
    let command = format!(
        "{others}cyclictest --quiet --mlockall --threads={threads} --priority=80 --interval=1000 --loops=1000 --nsecs"
    );
    let mut case = Case::new("cyclictest", &format!("mean{label}"), command).time(mean);
    case.rows.extend(Case::new("cyclictest", &format!("worst{label}"), "").time(worst).rows);
    case
}

/// The loops of hackbench: so many that the milliseconds that it prints are less than half a percent.
const LOOPS: u32 = 1000;

/// `Time: 0.123`, in seconds, as the time of a hundred loops.
fn hundred_loops(ran: &Ran) -> Option<f64> {
    number_after(&ran.output, "Time:").map(|time| time * 1e9 / (f64::from(LOOPS) / 100.0))
}

/// `T: 0 (  123) P:80 I:1000 C:   1000 Min:  23107 Act:   30212 Avg:   29903 Max:  130213`, in nanoseconds.
/// The mean of the threads' means.
fn mean(ran: &Ran) -> Option<f64> {
    let means = reports(ran, "Avg:");
    (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
}

/// The worst of all threads.
fn worst(ran: &Ran) -> Option<f64> {
    reports(ran, "Max:").into_iter().max_by(f64::total_cmp)
}

/// The number behind `word` in the last line of every thread; lines are printed anew as time passes.
fn reports(ran: &Ran, word: &str) -> Vec<f64> {
    let mut of_thread = BTreeMap::new();
    for line in ran.output.lines().filter(|line| number_before(line, "Avg:").is_some()) {
        if let (Some(thread), Some(value)) = (number_after(line, "T:"), number_after(line, word)) {
            // Threads are numbered from 0.
            of_thread.insert(thread as u64, value);
        }
    }
    of_thread.into_values().collect()
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
        assert_eq!(hundred_loops(&ran(output)), Some(0.207e9 / 10.0));
    }

    #[test]
    fn wake_up_latencies_are_read() {
        let output = "# /dev/cpu_dma_latency set to 0us\n\
                      T: 0 (   58) P:80 I:1000 C:   1000 Min:  23107 Act:   30212 Avg:   29903 Max:  130213\n";
        assert_eq!(mean(&ran(output)), Some(29903.0));
        assert_eq!(worst(&ran(output)), Some(130_213.0));
        assert_eq!(mean(&ran("Unable to change scheduling policy!\n")), None);
        assert_eq!(worst(&ran("Unable to change scheduling policy!\n")), None);
    }

    #[test]
    fn several_threads_have_one_mean_and_one_worst_latency() {
        let line = |thread: u32, mean: u32, worst: u32| {
            format!(
                "T: {thread} (   58) P:80 I:1000 C:   1000 Min:  100 Act:  200 Avg:  {mean} Max:  {worst}\n"
            )
        };
        let output = [line(0, 999, 9999), line(0, 300, 700), line(1, 500, 600)].concat();
        assert_eq!((mean(&ran(&output)), worst(&ran(&output))), (Some(400.0), Some(700.0)));
    }
}
