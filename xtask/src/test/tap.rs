//! Reading the TAP that the guest's runner prints (<https://testanything.org/tap-version-13-specification.html>).

use super::results::{Case, Verdict};

/// What a run of the runner left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tap {
    /// The finished cases.
    pub cases: Vec<Case>,
    /// The case that had been started when the output ended, if it did not finish.
    pub unfinished: Option<String>,
    /// Whether the plan at the end was printed.
    pub complete: bool,
}

/// Parses the runner's output; lines that are not TAP are ignored.
pub fn parse(text: &str) -> Tap {
    let mut tap = Tap::default();
    let mut output = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# run ") {
            tap.unfinished = Some(name.trim().to_owned());
            output.clear();
        } else if let Some(said) = line.strip_prefix("# ") {
            output.push_str(said);
            output.push('\n');
        } else if line.starts_with("1..") {
            tap.complete = true;
        } else if let Some((name, verdict)) = result(line) {
            let output = std::mem::take(&mut output);
            tap.cases.push(Case { name, verdict, output });
            tap.unfinished = None;
        }
    }
    tap
}

/// `ok 3 - name # directive` or `not ok 3 - name # why`.
fn result(line: &str) -> Option<(String, Verdict)> {
    let (passed, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let (_, rest) = rest.split_once(" - ")?;
    let (name, comment) = rest.split_once(" # ").unwrap_or((rest, ""));
    let verdict = match (passed, comment) {
        (true, "SKIP") => Verdict::Skipped,
        (true, _) => Verdict::Passed,
        (false, why) => Verdict::Failed(why.trim().to_owned()),
    };
    Some((name.trim().to_owned(), verdict))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_run_is_read() {
        let tap = parse(
            "TAP version 13\n# run a\nok 1 - a # 0.01 s\n# run b\n# b.c:3: bad\n\
             not ok 2 - b # exit status 1\n# run c\nok 3 - c # SKIP\n1..3\n",
        );
        assert!(tap.complete);
        assert_eq!(tap.unfinished, None);
        assert_eq!(tap.cases.len(), 3);
        assert_eq!(tap.cases[1].verdict, Verdict::Failed("exit status 1".into()));
        assert_eq!(tap.cases[1].output, "b.c:3: bad\n");
        assert_eq!(tap.cases[2].verdict, Verdict::Skipped);
    }

    #[test]
    fn the_case_that_killed_the_kernel_is_named() {
        let tap = parse("# run a\nok 1 - a\n# run b\n# half a li");
        assert!(!tap.complete);
        assert_eq!(tap.unfinished.as_deref(), Some("b"));
    }
}
