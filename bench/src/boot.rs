//! Start and size: the time to the first user instruction, memory in use when idle, the image.
//!
//! The time runs from QEMU's start to the first byte of a command's output: firmware, kernel and init.
//! Memory in use is all of the guest's that `/proc/meminfo` does not call free, right after the start;
//! both kernels hold the same root file system in it.

use std::fs;
use std::path::Path;

use xtask::build::{self, Profile};
use xtask::error::{AtPath, Error, Result};
use xtask::linux::Linux;
use xtask::vm::{self, Ending};

use crate::machine::System;
use crate::results::{Boot, Outcome, Pair};

/// KiB of memory that the guest has.
const MEMORY_KIB: f64 = 1024.0 * 1024.0;
const LIMIT_SECONDS: u64 = 120;

/// Measures start and size of both kernels, in turn.
pub fn measure(rounds: u32) -> Result<Boot> {
    let mut starts = [Vec::new(), Vec::new()];
    let mut idle = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (index, system) in [System::Linux, System::Nos].into_iter().enumerate() {
            let (start, used) = once(system)?;
            starts[index].push(start);
            idle[index].push(used);
        }
    }
    let pair = |[linux, nos]: [Vec<std::result::Result<f64, String>>; 2]| Pair {
        nos: Outcome::of_rounds(nos),
        linux: Outcome::of_rounds(linux),
    };
    Ok(Boot {
        first_user_instruction: pair(starts),
        idle_memory: pair(idle),
        image_size: Pair {
            nos: size(&build::previous(Profile::Kernel)?.kernel)?,
            linux: size(&Linux::open()?.image)?,
        },
    })
}

type Figure = std::result::Result<f64, String>;

/// One start: milliseconds to the first output, and KiB in use then.
fn once(system: System) -> Result<(Figure, Figure)> {
    let mut options = system.options();
    options.command = vec!["cat".into(), "/proc/meminfo".into()];
    options.timeout = Some(LIMIT_SECONDS);
    let outcome = vm::run(&options)?;
    if outcome.ending != Ending::Status(0) {
        let reason = format!("{:?}: {}", outcome.ending, outcome.last_words());
        return Ok((Err(reason.clone()), Err(reason)));
    }
    let start = outcome
        .first_output
        .map(|time| time.as_secs_f64() * 1000.0)
        .ok_or_else(|| "the machine printed nothing".to_owned());
    let used = free_kib(&String::from_utf8_lossy(&outcome.output))
        .map(|free| MEMORY_KIB - free)
        .ok_or_else(|| "/proc/meminfo has no MemFree".to_owned());
    Ok((start, used))
}

fn free_kib(meminfo: &str) -> Option<f64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemFree:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn size(image: &Path) -> Result<Outcome> {
    let bytes = fs::metadata(image).at(image)?.len();
    let bytes = u32::try_from(bytes)
        .map_err(|_| Error::Format(format!("{}: more than 4 GiB", image.display())))?;
    Ok(Outcome::measured([f64::from(bytes)]))
}

#[cfg(test)]
mod tests {
    use super::free_kib;

    #[test]
    fn free_memory_is_read_from_meminfo() {
        let text = "MemTotal:         997220 kB\nMemFree:          931308 kB\nMemAvailable: 9 kB\n";
        assert_eq!(free_kib(text), Some(931_308.0));
        assert_eq!(free_kib("MemTotal: 1 kB\n"), None);
    }
}
