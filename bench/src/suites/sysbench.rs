//! sysbench: threads that yield in turn, threads that fight for locks, memory, files.

use super::{Case, Scales, Suite, number_after, number_before};
use crate::guest::Ran;

pub(super) fn suite() -> Suite {
    let run = |what: &str| format!("sysbench {what} run");
    let files = "--file-num=4 --file-total-size=16M --file-io-mode=sync --file-fsync-freq=0";
    let with_files = |mode: &str| {
        let prepare = format!("sysbench fileio {files} prepare >/dev/null");
        format!("{prepare} && sysbench fileio {files} --file-test-mode={mode} --time=1 run")
    };
    let mut cases = vec![
        Case::new(
            "threads",
            "4 threads, 2 locks",
            run("threads --threads=4 --thread-locks=2 --thread-yields=100 --time=1"),
        )
        .rate("event", events),
        Case::new(
            "mutex",
            "4 threads",
            run("mutex --threads=4 --mutex-num=64 --mutex-locks=5000 --mutex-loops=500"),
        )
        .time(total_time),
        Case::new(
            "memory",
            "1 KiB writes",
            run("memory --memory-block-size=1K --memory-total-size=256M"),
        )
        .rate("MiB", mebibytes),
        Case::new("fileio", "random reads", with_files("rndrd")).rate("read", reads),
        Case::new("fileio", "random writes", with_files("rndwr")).rate("write", writes),
    ];
    // The others have one thread.
    for case in cases.iter_mut().filter(|case| case.command.contains("--threads")) {
        case.scales = Scales::Yes;
    }
    Suite { name: "sysbench", packages: &["sysbench"], recipes: &[], devices: false, cases }
}

/// `total number of events:              4129`, and the time they took: version 1.0.20 prints no rate here.
fn events(ran: &Ran) -> Option<f64> {
    Some(number_after(&ran.output, "total number of events:")? / (total_time(ran)? / 1e9))
}

/// `total time:                          1.0003s`.
fn total_time(ran: &Ran) -> Option<f64> {
    let (_, rest) = ran.output.split_once("total time:")?;
    let seconds: f64 = rest.split_whitespace().next()?.strip_suffix('s')?.parse().ok()?;
    Some(seconds * 1e9)
}

/// `256.00 MiB transferred (3456.78 MiB/sec)`.
fn mebibytes(ran: &Ran) -> Option<f64> {
    let (_, rest) = ran.output.split_once("transferred (")?;
    number_before(rest, "MiB/sec")
}

/// `reads/s:                      12345.67`.
fn reads(ran: &Ran) -> Option<f64> {
    number_after(&ran.output, "reads/s:")
}

fn writes(ran: &Ran) -> Option<f64> {
    number_after(&ran.output, "writes/s:")
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
    fn events_and_times_are_read() {
        let output = "General statistics:\n    total time:                          2.0000s\n    \
                      total number of events:              4130\n";
        assert_eq!(events(&ran(output)), Some(2065.0));
        assert_eq!(total_time(&ran(output)), Some(2e9));
        assert_eq!(events(&ran("FATAL: thread creation failed\n")), None);
    }

    #[test]
    fn rates_are_read() {
        let memory = "Total operations: 262144 (3540000.12 per second)\n\n\
                      256.00 MiB transferred (3456.78 MiB/sec)\n";
        assert_eq!(mebibytes(&ran(memory)), Some(3456.78));
        let files = "File operations:\n    reads/s:                      12345.67\n    \
                     writes/s:                     0.00\n";
        assert_eq!(reads(&ran(files)), Some(12345.67));
        assert_eq!(writes(&ran(files)), Some(0.0));
    }
}
