//! The list of self-tests, `tests-ltp/selftests.txt`: what is built, how it is run, and the known gaps.

use crate::error::{Error, Result};

/// One program of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Its folder and name below `tools/testing/selftests`.
    pub path: String,
    /// Its sources, in its folder; none for a script.
    pub sources: Vec<String>,
    /// Further switches for the compiler.
    pub switches: Vec<String>,
    /// A script of `sed` that takes out of the first source what needs something that the machine does not have.
    pub edit: Option<String>,
    /// A shell command that makes the files that it wants beside it.
    pub make: Option<String>,
    /// What it is started with, once for every entry.
    pub runs: Vec<String>,
    /// It asks for times that a busy host cannot keep: it runs where the machine's clock counts instructions.
    pub counted: bool,
    /// What is known to fail on NOS.
    pub gaps: Vec<Gap>,
}

/// Something that passes on Linux and is known to fail on NOS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The cases, by their numbers; none means those of the whole program.
    pub cases: Vec<String>,
    /// Why.
    pub reason: String,
}

impl Program {
    fn new(line: &str) -> Self {
        let mut words = line.split_whitespace().map(str::to_owned);
        let path = words.next().unwrap_or_default();
        let is_source = |word: &String| word.ends_with(".c") || word.ends_with(".S");
        let (mut sources, switches): (Vec<String>, Vec<String>) = words.partition(is_source);
        if sources.is_empty() && !path.ends_with(".sh") {
            sources.push(format!("{}.c", path.rsplit('/').next().unwrap_or(&path)));
        }
        Self { path, sources, switches, ..Self::default() }
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The ways it is run: path and arguments.
    pub fn commands(&self) -> impl Iterator<Item = String> {
        self.runs.iter().map(|arguments| format!("{} {arguments}", self.path).trim_end().to_owned())
    }
}

/// Reads the list; what is left out is not in the result.
pub fn parse(text: &str) -> Result<Vec<Program>> {
    let mut programs: Vec<Program> = Vec::new();
    let mut left_out = false;
    let mut helper = false;
    for (number, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if !line.starts_with(char::is_whitespace) {
            finish(&mut programs, left_out, helper);
            (left_out, helper) = (false, false);
            programs.push(Program::new(content));
            continue;
        }
        let wrong = || Error::Format(format!("line {} of the self-tests: {line}", number + 1));
        let (key, value) = content.split_once(':').ok_or_else(wrong)?;
        let program = programs.last_mut().ok_or_else(wrong)?;
        let value = value.trim().to_owned();
        match key {
            "edit" => program.edit = Some(value),
            "make" => program.make = Some(value),
            "run" => program.runs.push(value),
            "icount" => program.counted = true,
            "helper" => helper = true,
            "left out" => left_out = true,
            _ => {
                let cases = key.strip_prefix("gap").ok_or_else(wrong)?;
                let cases = cases.split_whitespace().map(str::to_owned).collect();
                program.gaps.push(Gap { cases, reason: value });
            }
        }
    }
    finish(&mut programs, left_out, helper);
    Ok(programs)
}

/// Completes the last program, or takes it off again.
fn finish(programs: &mut Vec<Program>, left_out: bool, helper: bool) {
    if left_out {
        programs.pop();
    } else if let Some(program) = programs.last_mut().filter(|_| !helper)
        && program.runs.is_empty()
    {
        program.runs.push(String::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_sources_ways_to_run_and_gaps() {
        let text = "# said\na/b/c\n\nd/e x.c -lm\n\trun:\n\trun: -t 1\n\tgap 2 3: no time\n\
                    \ticount: in time\nf/g\n\tleft out: slow\nh/i\n\thelper: of e\n\tmake: true\n\tedit: /a: b/d\n";
        let list = parse(text).unwrap();
        let paths: Vec<_> = list.iter().map(|program| program.path.as_str()).collect();
        assert_eq!(paths, ["a/b/c", "d/e", "h/i"]);
        assert_eq!(list[0].sources, ["c.c"]);
        assert_eq!(list[0].folder(), "a/b");
        assert_eq!(list[0].commands().collect::<Vec<_>>(), ["a/b/c"]);
        assert_eq!((&list[1].sources[0], &list[1].switches[0]), (&"x.c".into(), &"-lm".into()));
        assert_eq!(list[1].commands().collect::<Vec<_>>(), ["d/e", "d/e -t 1"]);
        assert_eq!(list[1].gaps[0].cases, ["2", "3"]);
        assert_eq!([list[0].counted, list[1].counted], [false, true]);
        assert_eq!(list[2].commands().count(), 0);
        assert_eq!(list[2].edit.as_deref(), Some("/a: b/d"));
        assert!(parse("a\n\tnonsense\n").is_err());
    }
}
