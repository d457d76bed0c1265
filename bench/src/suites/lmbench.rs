//! lmbench 3: latencies and bandwidths of single system calls and small patterns of them.
//!
//! `ENOUGH` is the number of microseconds that one measurement has to take: lmbench's own calibration would
//! spend half a minute on every program to find it. (Programs that talk to another process take a second or
//! two all the same.) `-N 1` makes one measurement after the calibration instead of eleven: rounds repeat it.

use super::{Case, Scales, Suite, number_before};
use crate::guest::Ran;

const BIN: &str = "/usr/lib/lmbench/bin/x86_64-linux-gnu";
/// Debian's build keeps its files in a folder that it does not make.
const SETTINGS: &str = "export ENOUGH=50000 TIMING_O=0 LOOP_O=0; mkdir -p /var/tmp/lmbench";
const REPEATS: &str = "-N 1";
/// The processes of a ring, and the KiB each of them touches.
const RINGS: [u32; 4] = [2, 8, 16, 96];
const FOOTPRINTS: [u32; 3] = [0, 16, 64];

pub(super) fn suite() -> Suite {
    let mut cases = system_calls();
    cases.extend(processes());
    cases.extend(communication());
    cases.extend(network());
    cases.extend(memory_and_files());
    Suite { name: "lmbench", packages: &["lmbench"], recipes: &[], devices: false, cases }
}

/// A case that runs `program` with `arguments` after `prepare`.
fn case(name: &str, label: &str, prepare: &str, arguments: &str) -> Case {
    let command = format!("{SETTINGS}; {prepare}{BIN}/{name} {REPEATS} {arguments}");
    Case::new(name, label, command)
}

fn latency(name: &str, label: &str, prepare: &str, arguments: &str) -> Case {
    case(name, label, prepare, arguments).time(microseconds)
}

fn bandwidth(name: &str, label: &str, prepare: &str, arguments: &str) -> Case {
    case(name, label, prepare, arguments).rate("MB", megabytes)
}

fn system_calls() -> Vec<Case> {
    let mut cases: Vec<Case> = ["null", "read", "write", "stat", "fstat", "open"]
        .into_iter()
        .map(|call| latency("lat_syscall", call, "touch file; ", &format!("{call} file")))
        .map(Case::headline)
        .collect();
    cases.extend([
        latency("lat_select", "10 files", "", "-n 10 file"),
        latency("lat_select", "100 files", "", "-n 100 file").headline(),
        latency("lat_select", "100 TCP", "", "-n 100 tcp"),
        latency("lat_sig", "install", "", "install").headline(),
        latency("lat_sig", "catch", "", "catch").headline(),
        latency("lat_sig", "prot", "", &format!("prot {BIN}/lat_sig")),
        latency("lat_fcntl", "", "", ""),
        latency("lat_sem", "", "", ""),
    ]);
    cases
}

fn processes() -> Vec<Case> {
    // Where Debian's build looks for the program that it starts.
    let hello = format!("cp {BIN}/hello /var/tmp/lmbench/hello && ");
    let mut cases = vec![
        latency("lat_proc", "procedure", "", "procedure"),
        latency("lat_proc", "fork", "", "fork").headline(),
        latency("lat_proc", "exec", &hello, "exec").headline(),
        latency("lat_proc", "shell", &hello, "shell").headline(),
    ];
    for footprint in FOOTPRINTS {
        for ring in RINGS {
            let label = format!("{ring} × {footprint} KiB");
            let arguments = format!("-s {footprint} {ring}");
            let case = case("lat_ctx", &label, "", &arguments).time(last_column_microseconds);
            let headline = footprint == 0 && ring == 2 || footprint == 16 && ring == 16;
            cases.push(if headline { case.headline() } else { case });
        }
    }
    cases
}

fn communication() -> Vec<Case> {
    let mut cases = vec![
        latency("lat_pipe", "", "", "").headline(),
        latency("lat_unix", "", "", "").headline(),
        latency("lat_fifo", "", "", ""),
        latency("lat_unix_connect", "", &format!("{BIN}/lat_unix_connect -s; sleep 1; "), ""),
        bandwidth("bw_pipe", "", "", "").headline(),
        bandwidth("bw_unix", "", "", ""),
    ];
    for case in &mut cases {
        // On more CPUs the two ends run at the same time.
        if case.command.contains("/bw_") {
            case.scales = Scales::Yes;
        }
    }
    cases
}

/// Over the loopback device: a server is started, given a second to listen, and killed with the case.
fn network() -> Vec<Case> {
    let server = |name: &str| format!("{BIN}/{name} -s; sleep 1; ");
    let bytes = |size: &str| format!("-m {size} localhost");
    vec![
        latency("lat_tcp", "1 B", &server("lat_tcp"), "localhost").headline(),
        latency("lat_udp", "1 B", &server("lat_udp"), "localhost"),
        latency("lat_connect", "", &server("lat_connect"), "localhost").headline(),
        // No headline: its calibration alone takes minutes of counted instructions.
        bandwidth("bw_tcp", "64 KiB", &server("bw_tcp"), &bytes("64k")),
        bandwidth("bw_tcp", "1 KiB", &server("bw_tcp"), &bytes("1k")),
    ]
}

fn memory_and_files() -> Vec<Case> {
    let file = "dd if=/dev/zero of=file bs=1M count=8 2>/dev/null; ";
    let mut cases = vec![
        latency("lat_pagefault", "", file, "file").headline(),
        case("lat_mmap", "4 MiB", file, "4m file").time(last_column_microseconds).headline(),
        bandwidth("bw_file_rd", "io_only", file, "8m io_only file").headline(),
        bandwidth("bw_file_rd", "open2close", file, "8m open2close file"),
        bandwidth("bw_mmap_rd", "mmap_only", file, "8m mmap_only file"),
        bandwidth("bw_mmap_rd", "open2close", file, "8m open2close file"),
    ];
    for mode in ["rd", "wr", "cp", "bzero"] {
        cases.push(bandwidth("bw_mem", mode, "", &format!("8m {mode}")));
    }
    for size in ["0", "10240"] {
        let created = case("lat_fs", &format!("create, {size} B"), "", &format!("-s {size} ."));
        let mut case = created.rate("file", |ran| column(ran, 2));
        case.rows.extend(case_rows("lat_fs", &format!("delete, {size} B"), |ran| column(ran, 3)));
        cases.push(case);
    }
    cases
}

/// A further row of the same command.
fn case_rows(name: &str, label: &str, read: fn(&Ran) -> Option<f64>) -> Vec<super::Reading> {
    Case::new(name, label, "").rate("file", read).rows
}

/// `Simple syscall: 0.4401 microseconds`. A program that could not start another goes on regardless.
fn microseconds(ran: &Ran) -> Option<f64> {
    if ran.output.contains("not found") {
        return None;
    }
    number_before(&ran.output, "microseconds").map(|time| time * 1000.0)
}

/// `Pipe bandwidth: 171.24 MB/sec`, or `8.00 1234.56`: the size and the rate.
fn megabytes(ran: &Ran) -> Option<f64> {
    number_before(&ran.output, "MB/sec").or_else(|| last_line_numbers(ran)?.get(1).copied())
}

/// `16 32.10`: processes or megabytes, and microseconds.
fn last_column_microseconds(ran: &Ran) -> Option<f64> {
    match last_line_numbers(ran)?.as_slice() {
        [_, time] => Some(time * 1000.0),
        _ => None,
    }
}

/// `0k  100  9000  15000`: the size, the number of files, and how many were created and deleted a second.
fn column(ran: &Ran, index: usize) -> Option<f64> {
    ran.output.lines().next_back()?.split_whitespace().nth(index)?.parse().ok()
}

fn last_line_numbers(ran: &Ran) -> Option<Vec<f64>> {
    let last = ran.output.lines().rfind(|line| !line.trim().is_empty())?;
    last.split_whitespace().map(|word| word.parse().ok()).collect()
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
    fn latencies_are_read() {
        assert_eq!(microseconds(&ran("Simple syscall: 0.3272 microseconds\n")), Some(327.2));
        let select = "Select on 100 fd's: 9.2116 microseconds\n";
        assert_eq!(microseconds(&ran(select)), Some(9211.6));
        assert_eq!(microseconds(&ran("socket: Address family not supported\n")), None);
    }

    #[test]
    fn a_program_that_could_not_be_started_has_no_latency() {
        let output =
            "sh: /var/tmp/lmbench/hello: not found\nProcess fork+/bin/sh -c: 862.1 microseconds\n";
        assert_eq!(microseconds(&ran(output)), None);
    }

    #[test]
    fn context_switches_are_read() {
        let output = "\n\"size=16k ovr=4.88\n16 6.52\n";
        assert_eq!(last_column_microseconds(&ran(output)), Some(6520.0));
        assert_eq!(last_column_microseconds(&ran("\n\"size=16k ovr=4.88\n")), None);
    }

    #[test]
    fn bandwidths_are_read_in_both_forms() {
        assert_eq!(megabytes(&ran("Pipe bandwidth: 1712.24 MB/sec\n")), Some(1712.24));
        assert_eq!(megabytes(&ran("8.39 4321.00\n")), Some(4321.0));
        assert_eq!(megabytes(&ran("0.065536 12.30 MB/sec\n")), Some(12.3));
    }

    #[test]
    fn file_rates_are_read() {
        let both = ran("0k\t86\t81234\t152347\n");
        assert_eq!((column(&both, 2), column(&both, 3)), (Some(81234.0), Some(152_347.0)));
    }
}
