//! Running many commands in one boot of the guest, and going on after one that kills it.
//!
//! Starting Linux takes seconds, so one boot runs a whole list through `bench/guest/driver/driver.c`, which frames
//! what the commands print. When the guest hangs or its kernel panics, the command that was running gets the
//! kernel's last words as its result, and another boot goes on with the commands after it.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xtask::error::{AtPath, Result};
use xtask::vm::{self, Deadline, Ending, Options};
use xtask::{paths, rootfs};

/// Where the driver and its list are in the guest.
const FOLDER: &str = "run/bench";
/// How long a guest may take to start, and between two commands.
const SLACK: Duration = Duration::from_secs(60);
/// How much more time may pass here than in the guest: a host has other work, and counting is slow.
const SLOWNESS: u32 = 2;
const SLOWNESS_WHEN_COUNTING: u32 = 6;
/// The longest quotation of a kernel's last words.
const QUOTED_LINES: usize = 4;

/// A line for the guest's shell.
#[derive(Clone, Debug)]
pub struct Command {
    /// The line.
    pub shell: String,
    /// The seconds it may take, on the guest's clock.
    pub limit: u32,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// It had to be killed: its time was over, or it printed without end.
    Limit,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// What it printed.
    pub output: String,
    /// How it ended.
    pub end: End,
    /// The time it took on the guest's clock.
    pub elapsed: Duration,
}

/// A command's result; the error says how the guest failed it.
pub type Done = std::result::Result<Ran, String>;

/// Runs the commands in as few boots as possible; `started` is told which one runs.
pub fn run(
    options: &Options,
    commands: &[Command],
    raw: &Path,
    mut started: impl FnMut(usize) + Send,
) -> Result<Vec<Done>> {
    let mut results: Vec<Option<Done>> = vec![None; commands.len()];
    let mut raw = fs::File::create(raw).at(raw)?;
    let mut from = 0;
    while from < commands.len() {
        let boot = boot(options, commands, from, &mut raw, &mut started)?;
        let progress = !boot.finished.is_empty();
        for (index, ran) in boot.finished {
            results[index] = Some(Ok(ran));
            from = index + 1;
        }
        if from == commands.len() {
            break;
        }
        _ = writeln!(raw, "\n### {}", boot.reason);
        if let Some(index) = boot.running {
            results[index] = Some(Err(boot.reason));
            from = index + 1;
        } else if !progress {
            // It does not get as far as the first command: another boot would not either.
            results[from..].fill(Some(Err(boot.reason)));
            break;
        }
    }
    let never = || Err("it was never run".to_owned());
    Ok(results.into_iter().map(|result| result.unwrap_or_else(never)).collect())
}

/// What came of one boot.
struct Booted {
    finished: Vec<(usize, Ran)>,
    /// The command that was running when the guest stopped.
    running: Option<usize>,
    /// Why the guest stopped, if it stopped early.
    reason: String,
}

fn boot(
    options: &Options,
    commands: &[Command],
    from: usize,
    raw: &mut fs::File,
    started: &mut (impl FnMut(usize) + Send),
) -> Result<Booted> {
    let work = tempfile::tempdir().at(std::env::temp_dir())?;
    lay_out(work.path(), commands, from)?;
    let log = work.path().join("console");
    let mut options = options.clone();
    options.overlay.push(work.path().join("overlay"));
    options.command = vec![format!("/{FOLDER}/driver"), "run".into(), format!("/{FOLDER}/list")];
    options.log = Some(log.clone());
    let deadline = Deadline::default();
    let slowness = if options.icount { SLOWNESS_WHEN_COUNTING } else { SLOWNESS };
    deadline.set(SLACK * slowness);
    let mut follower = Follower {
        frames: Frames::default(),
        deadline: &deadline,
        slowness,
        commands,
        started,
        finished: Vec::new(),
        running: None,
        output: Vec::new(),
        raw,
        broken: None,
    };
    let ending = vm::run_until(&options, &mut follower, &deadline)?;
    let words = quotation(&vm::last_words(&log));
    let reason = match (follower.broken, ending) {
        (Some(text), _) => format!("the guest's driver failed: {text}"),
        (None, Ending::Status(status)) => format!("the guest's driver ended with status {status}"),
        (None, Ending::TimedOut) => format!("the guest hung{words}"),
        (None, Ending::Panicked) => format!("the kernel stopped{words}"),
    };
    Ok(Booted { finished: follower.finished, running: follower.running, reason })
}

/// Writes the overlay with the driver and the commands from `from` on.
fn lay_out(work: &Path, commands: &[Command], from: usize) -> Result<()> {
    let folder = paths::created(work.join("overlay").join(FOLDER))?;
    for (name, program) in programs()? {
        let to = folder.join(name);
        fs::copy(program, &to).at(&to)?;
    }
    let list: String = commands
        .iter()
        .enumerate()
        .skip(from)
        .map(|(index, command)| format!("{index}\0{}\0{}\0", command.limit, command.shell))
        .collect();
    let to = folder.join("list");
    fs::write(&to, list).at(&to)
}

/// The driver, and what else a command may call beside it: their names and where they are, compiled if they are out of date.
pub fn programs() -> Result<[(&'static str, PathBuf); 2]> {
    let program = |name: &'static str| {
        let source = paths::root().join(format!("bench/guest/{name}/{name}.c"));
        let to = paths::target()?.join(format!("bench-{name}"));
        rootfs::compile(&[source], &[], &to)?;
        Ok((name, to))
    };
    Ok([program("driver")?, program("threads")?])
}

/// The end of the kernel's messages on one line, from the panic on if there was one.
fn quotation(words: &str) -> String {
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let panic = lines.iter().position(|line| line.to_lowercase().contains("panic"));
    let from = panic.unwrap_or(lines.len().saturating_sub(QUOTED_LINES));
    let quoted: Vec<&str> = lines[from..].iter().copied().take(QUOTED_LINES).collect();
    if quoted.is_empty() { String::new() } else { format!(": {}", quoted.join(" | ")) }
}

/// Reads the driver's frames while the guest runs, and moves the deadline.
struct Follower<'a, F, W> {
    frames: Frames,
    deadline: &'a Deadline,
    /// How much more time may pass here than in the guest.
    slowness: u32,
    commands: &'a [Command],
    started: &'a mut F,
    finished: Vec<(usize, Ran)>,
    running: Option<usize>,
    output: Vec<u8>,
    /// Where all of it is kept.
    raw: &'a mut W,
    /// What came instead of a frame.
    broken: Option<String>,
}

impl<F: FnMut(usize), W: Write> Follower<'_, F, W> {
    fn take(&mut self, frame: &Frame) -> std::result::Result<(), String> {
        let unexpected = || format!("unexpected frame `{} {}`", frame.kind, frame.name);
        let index = frame
            .name
            .parse()
            .ok()
            .filter(|index| *index < self.commands.len())
            .ok_or_else(unexpected)?;
        match (frame.kind.as_str(), self.running) {
            ("start", None) => {
                self.running = Some(index);
                self.output.clear();
                let limit = Duration::from_secs(self.commands[index].limit.into());
                self.deadline.set((limit + SLACK) * self.slowness);
                _ = writeln!(self.raw, "### {}", self.commands[index].shell);
                (self.started)(index);
            }
            ("out", Some(running)) if running == index => {
                _ = self.raw.write_all(&frame.data);
                self.output.extend(&frame.data);
            }
            ("end", Some(running)) if running == index => {
                let report = String::from_utf8_lossy(&frame.data).into_owned();
                let (end, elapsed) = end_of(&report).ok_or_else(|| format!("end `{report}`"))?;
                _ = writeln!(self.raw, "### {report}");
                let output = String::from_utf8_lossy(&self.output).into_owned();
                self.finished.push((index, Ran { output, end, elapsed }));
                self.running = None;
                self.output.clear();
                self.deadline.set(SLACK * self.slowness);
            }
            _ => return Err(unexpected()),
        }
        Ok(())
    }
}

impl<F: FnMut(usize), W: Write> Write for Follower<'_, F, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.broken.is_none() {
            self.frames.push(bytes);
            loop {
                let step = match self.frames.next() {
                    Ok(Some(frame)) => self.take(&frame),
                    Ok(None) => break,
                    Err(text) => Err(text),
                };
                if let Err(text) = step {
                    self.broken = Some(text);
                    self.deadline.set(Duration::ZERO);
                    break;
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `exit N NS`, `signal N NS` or `limit NS`.
fn end_of(report: &str) -> Option<(End, Duration)> {
    let words: Vec<&str> = report.split(' ').collect();
    let (end, nanoseconds) = match words.as_slice() {
        ["exit", status, time] => (End::Exit(status.parse().ok()?), time),
        ["signal", number, time] => (End::Signal(number.parse().ok()?), time),
        ["limit", time] => (End::Limit, time),
        _ => return None,
    };
    Some((end, Duration::from_nanos(nanoseconds.parse().ok()?)))
}

/// One message of the driver.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: String,
    name: String,
    data: Vec<u8>,
}

/// Cuts a stream of bytes into frames.
#[derive(Default)]
struct Frames {
    bytes: VecDeque<u8>,
}

impl Frames {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next whole frame; the error is text that is no frame.
    fn next(&mut self) -> std::result::Result<Option<Frame>, String> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.bytes.iter().take(end).copied().collect();
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split(' ').collect();
        let (kind, name, length) = match words.as_slice() {
            [kind @ ("start" | "out" | "end"), name, length] => (*kind, *name, length.parse()),
            _ => return Err(line),
        };
        let length: usize = length.map_err(|_| line.clone())?;
        if self.bytes.len() <= end + length {
            return Ok(None);
        }
        self.bytes.drain(..=end);
        let data = self.bytes.drain(..length).collect();
        Ok(Some(Frame { kind: kind.into(), name: name.into(), data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: &str, name: &str, data: &str) -> Vec<u8> {
        format!("{kind} {name} {}\n{data}", data.len()).into_bytes()
    }

    #[test]
    fn output_that_looks_like_a_frame_stays_output() {
        let bytes = [
            frame("start", "0", ""),
            frame("out", "0", "end 0 3\nabc"),
            frame("end", "0", "exit 0 5"),
        ];
        for chunk in 1..9 {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in bytes.concat().chunks(chunk) {
                frames.push(piece);
                while let Some(frame) = frames.next().unwrap() {
                    found.push(frame);
                }
            }
            let kinds: Vec<_> = found.iter().map(|frame| frame.kind.as_str()).collect();
            assert_eq!(kinds, ["start", "out", "end"]);
            assert_eq!(found[1].data, b"end 0 3\nabc");
        }
    }

    #[test]
    fn text_that_is_no_frame_is_an_error() {
        let mut frames = Frames::default();
        frames.push(b"driver: fork: Out of memory\n");
        assert_eq!(frames.next(), Err("driver: fork: Out of memory".into()));
    }

    #[test]
    fn ends_are_read() {
        assert_eq!(end_of("exit 1 20"), Some((End::Exit(1), Duration::from_nanos(20))));
        assert_eq!(end_of("signal 9 20"), Some((End::Signal(9), Duration::from_nanos(20))));
        assert_eq!(end_of("limit 20"), Some((End::Limit, Duration::from_nanos(20))));
        assert_eq!(end_of("exit 1"), None);
    }

    #[test]
    fn a_quotation_starts_with_the_panic() {
        assert_eq!(quotation("a\n\npanicked at x\n  b\n"), ": panicked at x | b");
        assert_eq!(quotation("1\n2\n3\n4\n5"), ": 2 | 3 | 4 | 5");
        assert_eq!(quotation(""), "");
    }

    #[test]
    fn a_follower_tells_what_ended_from_what_was_running() {
        let commands = vec![Command { shell: String::new(), limit: 1 }; 2];
        let deadline = Deadline::default();
        let (mut seen, mut raw) = (Vec::new(), Vec::new());
        let mut started = |index| seen.push(index);
        let mut follower = Follower {
            frames: Frames::default(),
            deadline: &deadline,
            slowness: 1,
            commands: &commands,
            started: &mut started,
            finished: Vec::new(),
            running: None,
            output: Vec::new(),
            raw: &mut raw,
            broken: None,
        };
        for bytes in [
            frame("start", "0", ""),
            frame("out", "0", "one\n"),
            frame("end", "0", "exit 0 7"),
            frame("start", "1", ""),
            frame("out", "1", "two\n"),
        ] {
            follower.write_all(&bytes).unwrap();
        }
        assert_eq!(follower.running, Some(1));
        assert_eq!(follower.output, b"two\n");
        let ran =
            Ran { output: "one\n".into(), end: End::Exit(0), elapsed: Duration::from_nanos(7) };
        assert_eq!(follower.finished, [(0, ran)]);
        follower.write_all(&frame("start", "0", "")).unwrap();
        assert!(follower.broken.is_some());
        assert_eq!(seen, [0, 1]);
        assert_eq!(raw, b"### \none\n### exit 0 7\n### \ntwo\n");
    }
}
