//! What a self-test came to: its exit status, and the cases that it printed as TAP.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Outcomes;
use super::list::{Gap, Program};
use crate::test::results::{Case, Verdict};

/// What kselftest's programs exit with when they cannot tell.
const SKIPPED: &str = "exit status 4";

/// How one run of a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Why the program as a whole did not pass, if so.
    pub failure: Option<String>,
    /// The cases that passed, by their numbers; `18 #2` is the second one with that number.
    passed: BTreeSet<String>,
    /// What the other cases printed.
    others: BTreeMap<String, String>,
    /// All that it printed.
    output: String,
}

impl From<Case> for Outcome {
    fn from(case: Case) -> Self {
        let mut outcome = Self::default();
        for line in case.output.lines() {
            let Some((passed, number)) = tap_case(line) else { continue };
            let known =
                |name: &String| outcome.passed.contains(name) || outcome.others.contains_key(name);
            let mut name = number.to_owned();
            let mut occurrence = 1;
            while known(&name) {
                occurrence += 1;
                name = format!("{number} #{occurrence}");
            }
            if passed {
                outcome.passed.insert(name);
            } else {
                outcome.others.insert(name, line.to_owned());
            }
        }
        outcome.failure = match case.verdict {
            Verdict::Failed(why) => Some(why),
            Verdict::Skipped => Some("skipped".into()),
            Verdict::Passed | Verdict::KnownGap(_) => failed_total(&case.output),
        };
        outcome.output = case.output;
        outcome
    }
}

impl Outcome {
    /// Whether anything passed, so that it can be asked of another kernel.
    pub fn shows_something(&self) -> bool {
        self.failure.is_none() || !self.passed.is_empty()
    }
}

/// `ok 3 what` or `not ok 3 what`: whether it passed, and its number. A skipped case has not passed.
fn tap_case(line: &str) -> Option<(bool, &str)> {
    let (ok, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let number = rest.split_whitespace().next()?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((ok && !rest.contains("# SKIP"), number))
}

/// What the last line of a program says that counts failures but ends with 0 all the same.
fn failed_total(output: &str) -> Option<String> {
    let totals = output.lines().rev().find_map(|line| line.strip_prefix("# Totals: "))?;
    let failed = totals.split_whitespace().find_map(|word| word.strip_prefix("fail:"))?;
    (failed != "0").then(|| format!("{failed} failed by its own count"))
}

/// The cases of a program that pass on Linux, as they are on NOS; those of one known gap are one case.
pub fn compare(program: &Program, linux: &Outcomes, nos: &Outcomes) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut lost = vec![0; program.gaps.len()];
    let mut shown = false;
    for command in program.commands() {
        let name = format!("selftests/{command}");
        let expected = linux.get(&command).filter(|outcome| outcome.shows_something());
        let Some(expected) = expected else {
            cases.push(Case::new(name, Verdict::Skipped));
            continue;
        };
        shown = true;
        let missing = Outcome { failure: Some("did not run".into()), ..Outcome::default() };
        let found = nos.get(&command).unwrap_or(&missing);
        for (case, why) in compare_one(expected, found) {
            let gap = program.gaps.iter().position(|gap| covers(gap, case.as_deref()));
            let name = case.map_or_else(|| name.clone(), |case| format!("{name}: {case}"));
            match (why, gap) {
                (None, _) => cases.push(Case::new(name, Verdict::Passed)),
                (Some(_), Some(gap)) => lost[gap] += 1,
                (Some(why), None) => {
                    let output = found.output.clone();
                    cases.push(Case { name, verdict: Verdict::Failed(why), output });
                }
            }
        }
    }
    if shown {
        let gaps = program.gaps.iter().zip(lost);
        cases.extend(gaps.map(|(gap, lost)| known_gap(program, gap, lost)));
    }
    cases
}

/// A known gap, from which so many cases do not pass.
fn known_gap(program: &Program, gap: &Gap, lost: usize) -> Case {
    let name = format!("selftests/{}", program.path);
    if lost == 0 {
        let numbers = gap.cases.join(" ");
        let why = format!("a known gap {numbers} that no longer is one: take it off the list");
        return Case::new(name, Verdict::Failed(why));
    }
    Case::new(format!("{name}, {lost} of its cases"), Verdict::KnownGap(gap.reason.clone()))
}

/// Every case that passes on Linux, or the program as a whole (`None`), and why it does not on NOS.
fn compare_one(linux: &Outcome, nos: &Outcome) -> Vec<(Option<String>, Option<String>)> {
    let mut cases: Vec<(Option<String>, Option<String>)> = Vec::new();
    for case in &linux.passed {
        let why = match nos.others.get(case) {
            _ if nos.passed.contains(case) => None,
            Some(line) => Some(line.clone()),
            None => Some(format!("missing: {}", nos.failure.as_deref().unwrap_or("not printed"))),
        };
        cases.push((Some(case.clone()), why));
    }
    let lost_one = cases.iter().any(|(_, why)| why.is_some());
    if linux.failure.is_none() && (cases.is_empty() || nos.failure.is_some() && !lost_one) {
        let skipped = |why: &String| why == SKIPPED;
        let why = nos.failure.clone().map(|why| if skipped(&why) { "skipped".into() } else { why });
        cases.push((None, why));
    }
    cases
}

fn covers(gap: &Gap, case: Option<&str>) -> bool {
    gap.cases.is_empty()
        || case.is_some_and(|case| {
            gap.cases.iter().any(|one| case.split(" #").next() == Some(one.as_str()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::selftests::list;

    fn outcome(verdict: Verdict, output: &str) -> Outcome {
        Outcome::from(Case { name: "a/b".into(), verdict, output: output.into() })
    }

    fn compared(list: &str, linux: Outcome, nos: Outcome) -> Vec<(String, Verdict)> {
        let program = list::parse(list).unwrap().remove(0);
        let [linux, nos] = [linux, nos].map(|one| Outcomes::from([("a/b".into(), one)]));
        let cases = compare(&program, &linux, &nos);
        cases.into_iter().map(|case| (case.name, case.verdict)).collect()
    }

    fn failed(why: &str) -> Verdict {
        Verdict::Failed(why.into())
    }

    #[test]
    fn cases_of_one_number_are_told_apart() {
        let outcome = outcome(failed("exit status 1"), "ok 1 x\nok 1 y\nnot ok 1 z\nok 2 # SKIP\n");
        assert_eq!(outcome.passed.iter().collect::<Vec<_>>(), ["1", "1 #2"]);
        assert_eq!(outcome.others.keys().collect::<Vec<_>>(), ["1 #3", "2"]);
        assert!(outcome.shows_something());
    }

    #[test]
    fn a_case_that_linux_passes_is_asked_of_nos() {
        let linux = outcome(Verdict::Passed, "ok 1 x\nok 2 y\nok 3 z\n");
        let nos = outcome(failed("exit status 1"), "ok 1 x\nnot ok 2 y\n");
        let found = compared("a/b\n", linux, nos);
        assert_eq!(found[0].1, Verdict::Passed);
        assert_eq!(found[1].1, failed("not ok 2 y"));
        assert_eq!(found[2].1, failed("missing: exit status 1"));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_programs_own_count_of_failures_counts() {
        let found = outcome(Verdict::Passed, "ok 1 x\n# Totals: pass:1 fail:2 xfail:0\n");
        assert_eq!(found.failure.as_deref(), Some("2 failed by its own count"));
        let found = outcome(Verdict::Passed, "ok 1 x\n# Totals: pass:1 fail:0 xfail:2\n");
        assert_eq!(found.failure, None);
    }

    #[test]
    fn a_gap_is_known_until_it_closes() {
        let linux = outcome(Verdict::Passed, "ok 1 x\nok 2 y\n");
        let nos = outcome(failed("exit status 1"), "ok 1 x\nnot ok 2 y\n");
        let list = "a/b\n\tgap 2: not now\n";
        let found = compared(list, linux.clone(), nos);
        assert_eq!(found[1].1, Verdict::KnownGap("not now".into()));
        assert_eq!(found.len(), 2);
        let found = compared(list, linux.clone(), linux);
        assert!(matches!(found[2].1, Verdict::Failed(_)));
    }

    #[test]
    fn what_linux_skips_says_nothing() {
        let skipped = outcome(failed(SKIPPED), "");
        let found = compared("a/b\n", skipped.clone(), skipped.clone());
        assert_eq!(found[0].1, Verdict::Skipped);
        let found = compared("a/b\n\tgap: why\n", skipped.clone(), skipped.clone());
        assert_eq!(found.len(), 1);
        let found = compared("a/b\n", outcome(Verdict::Passed, ""), skipped);
        assert_eq!(found[0].1, failed("skipped"));
    }
}
