//! iperf3 and netperf over the loopback device: streams and round trips.
//!
//! The server is started as a daemon, given a second to listen, and killed with the case.

use super::{Case, Scales, Suite, number_before};
use crate::guest::Ran;

const SECONDS: u32 = 1;

/// iperf3: how much a second over streams.
pub(super) fn iperf3() -> Suite {
    let case = |label: &str, switches: &str| {
        let client = format!("iperf3 --client 127.0.0.1 --time {SECONDS} --format m {switches}");
        let mut case =
            Case::new("iperf3", label, format!("iperf3 --server --daemon; sleep 1; {client}"))
                .rate("Mbit", received);
        case.scales = Scales::Yes;
        case
    };
    let cases = vec![
        case("TCP, 1 stream", ""),
        case("TCP, 4 streams", "--parallel 4"),
        case("UDP, 1 stream", "--udp --bandwidth 0"),
        case("UDP, 4 streams", "--udp --bandwidth 0 --parallel 4"),
    ];
    Suite { name: "iperf3", packages: &["iperf3"], recipes: &[], devices: false, cases }
}

/// netperf: round trips and streams.
pub(super) fn netperf() -> Suite {
    // It asks for addresses as AI_ADDRCONFIG has it, which finds none on a machine that has nothing but 127.0.0.1.
    let address = "ip address add 10.0.0.1/32 dev lo";
    let server = "netserver >/dev/null; sleep 1";
    let client = |test: &str| {
        format!("{address}; {server}; netperf -H 127.0.0.1 -t {test} -l {SECONDS} -P 0")
    };
    let mut cases: Vec<Case> = ["TCP_RR", "TCP_CRR", "UDP_RR"]
        .into_iter()
        .map(|test| Case::new("netperf", test, client(test)).rate("transaction", last_number))
        .collect();
    let streams = ["TCP_STREAM", "TCP_MAERTS"];
    cases.extend(
        streams.map(|test| Case::new("netperf", test, client(test)).rate("Mbit", last_number)),
    );
    Suite { name: "netperf", packages: &["netperf"], recipes: &[], devices: false, cases }
}

/// The sum's line, or the only stream's:
/// `[  5]   0.00-2.00   sec   512 MBytes  2147 Mbits/sec                  receiver`
pub(super) fn received(ran: &Ran) -> Option<f64> {
    let line = ran.output.lines().rfind(|line| line.trim_end().ends_with("receiver"))?;
    number_before(line, "Mbits/sec")
}

/// The last number of the first line with numbers, which is the result:
/// `131072  16384  16384    2.00     9321.14`
fn last_number(ran: &Ran) -> Option<f64> {
    let numbers = |line: &str| -> Option<Vec<f64>> {
        line.split_whitespace().map(|word| word.parse().ok()).collect()
    };
    let mut lines = ran.output.lines().filter_map(numbers);
    lines.find(|line| line.len() >= 5)?.last().copied()
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
    fn the_receivers_rate_is_read() {
        let output = "[ ID] Interval           Transfer     Bitrate         Retr\n\
            [  5]   0.00-2.00   sec   513 MBytes  2150 Mbits/sec    0             sender\n\
            [  5]   0.00-2.00   sec   512 MBytes  2147 Mbits/sec                  receiver\n\niperf Done.\n";
        assert_eq!(received(&ran(output)), Some(2147.0));
        assert_eq!(received(&ran("iperf3: error - unable to create socket\n")), None);
    }

    #[test]
    fn transactions_and_streams_are_read() {
        let round_trips = "16384  131072 1        1       2.00     9321.14   \n16384  131072\n";
        assert_eq!(last_number(&ran(round_trips)), Some(9321.14));
        assert_eq!(last_number(&ran("131072  16384  16384    2.00     5321.50\n")), Some(5321.5));
        assert_eq!(last_number(&ran("establish control: no address\n")), None);
    }
}
