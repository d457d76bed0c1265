//! Threads of one process that share nothing but the process (`bench/guest/threads`): what one of them does, and what one on every CPU do at once.

use super::{Case, Scales, Suite, number_after};
use crate::guest::Ran;

const KINDS: [(&str, &str); 5] = [
    ("getppid", "getppid"),
    ("futex", "a futex's wake"),
    ("pipe", "a byte through a pipe"),
    ("pread", "pread"),
    ("fault", "a page fault"),
];

pub(super) fn suite() -> Suite {
    let case = |(kind, label): (&str, &str)| {
        [("1", "one thread"), ("0", "a thread on every CPU")].map(|(count, who)| {
            let command = format!("/run/bench/threads {kind} {count}");
            let mut case = Case::new("threads", &format!("{label}, {who}"), command)
                .rate("operation", |ran: &Ran| number_after(&ran.output, "rate"));
            case.scales = Scales::Yes;
            case
        })
    };
    let cases = KINDS.into_iter().flat_map(case).collect();
    Suite { name: "threads", packages: &[], recipes: &[], devices: false, cases }
}
