//! What a test case came to, and the sum over everything.

use std::fmt;
use std::time::Instant;

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It showed what it was to show.
    Passed,
    /// It could not tell here.
    Skipped,
    /// It did not; why, in one line.
    Failed(String),
    /// It did not, for a reason that is known and written down: neither passed nor failed.
    KnownGap(String),
}

/// One case and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name, with the stage in front: `guest/nos/fork_copies_memory`.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What it printed, for a failure.
    pub output: String,
}

impl Case {
    /// A case that ended with `verdict` and printed nothing of interest.
    pub fn new(name: impl Into<String>, verdict: Verdict) -> Self {
        Self { name: name.into(), verdict, output: String::new() }
    }
}

/// The cases of all stages so far; prints failures as they come in.
#[derive(Debug)]
pub struct Report {
    passed: usize,
    skipped: usize,
    gaps: usize,
    failed: Vec<String>,
    /// When the stage began that comes next.
    stage_began: Instant,
}

/// The lines of a failed case's output that are shown.
const SHOWN_LINES: usize = 30;

impl Report {
    /// Of nothing yet; the first stage begins.
    pub fn new() -> Self {
        Self { passed: 0, skipped: 0, gaps: 0, failed: Vec::new(), stage_began: Instant::now() }
    }

    /// Takes in the cases of the stage that has just ended, prints its sum and how long it took; the next one begins.
    pub fn stage(&mut self, name: &str, cases: Vec<Case>) {
        let (passed, skipped, failed) = (self.passed, self.skipped, self.failed.len());
        let gaps = self.gaps;
        for case in cases {
            match case.verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Skipped => self.skipped += 1,
                Verdict::KnownGap(why) => {
                    println!("known gap {}: {why}", case.name);
                    self.gaps += 1;
                }
                Verdict::Failed(why) => {
                    println!("FAILED {}: {why}", case.name);
                    for line in crate::process::last_lines(&case.output, SHOWN_LINES).lines() {
                        println!("    {line}");
                    }
                    self.failed.push(case.name);
                }
            }
        }
        print!(
            "{name}: {} passed, {} failed, {} skipped",
            self.passed - passed,
            self.failed.len() - failed,
            self.skipped - skipped
        );
        match self.gaps - gaps {
            0 => {}
            gaps => print!(", {gaps} known gaps"),
        }
        println!("; {} s", self.stage_began.elapsed().as_secs());
        self.stage_began = Instant::now();
    }

    /// Whether no case failed.
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }
}

/// The sum over everything, as the last line of a test run.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.failed.is_empty() {
            writeln!(formatter, "\nfailed:")?;
            for name in &self.failed {
                writeln!(formatter, "    {name}")?;
            }
        }
        write!(formatter, "{} passed, {} failed", self.passed, self.failed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_everything() {
        let mut report = Report::new();
        report.stage("a", vec![Case::new("a/1", Verdict::Passed)]);
        report.stage("b", vec![Case::new("b/1", Verdict::Failed("no".into()))]);
        assert_eq!(report.to_string().lines().last(), Some("1 passed, 1 failed"));
        assert!(!report.is_clean());
    }
}
