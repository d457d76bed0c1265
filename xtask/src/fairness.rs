//! No special cases for benchmarks: what runs inside the guest must not know their names.
//!
//! A kernel that recognises a benchmark measures its author's wit. Nothing under [`WATCHED`] may contain one of
//! [`NAMES`], in code or in comments; `cargo xtask check` looks. The benchmark program tests that all it runs is
//! on the list.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{AtPath, Result};
use crate::paths;

/// Where no name may be.
const WATCHED: [&str; 4] = ["abi", "kernel", "loader", "rootfs/init"];

/// Benchmarks, and the programs that they consist of. Programs whose name is that of a file format as well (xz,
/// zstd) are not here, because a kernel has reason to speak of the format.
pub const NAMES: &[&str] = &[
    "bw_file_rd",
    "bw_mem",
    "bw_mmap_rd",
    "bw_pipe",
    "bw_tcp",
    "bw_unix",
    "cyclictest",
    "dbench",
    "fio",
    "hackbench",
    "iozone",
    "iperf",
    "iperf3",
    "lat_connect",
    "lat_ctx",
    "lat_fcntl",
    "lat_fifo",
    "lat_fs",
    "lat_mmap",
    "lat_pagefault",
    "lat_pipe",
    "lat_proc",
    "lat_select",
    "lat_sem",
    "lat_sig",
    "lat_syscall",
    "lat_tcp",
    "lat_udp",
    "lat_unix",
    "lat_unix_connect",
    "lmbench",
    "netperf",
    "netserver",
    "nginx",
    "openssl",
    "phoronix",
    "redis",
    "rt-tests",
    "speedtest1",
    "sqlite",
    "sqlite3",
    "stress-ng",
    "stress_ng",
    "sysbench",
    "tbench",
    "unixbench",
    "wrk",
];

/// Every line that names a benchmark, as `path:line: name`.
pub fn findings() -> Result<Vec<String>> {
    let root = paths::root();
    let mut found = Vec::new();
    for folder in WATCHED {
        for file in files(&root.join(folder))? {
            let text = fs::read(&file).at(&file)?;
            let path = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
            let named = names_in(&String::from_utf8_lossy(&text));
            found.extend(named.into_iter().map(|(line, name)| format!("{path}:{line}: {name}")));
        }
    }
    Ok(found)
}

/// The names in a text with the numbers of their lines.
fn names_in(text: &str) -> Vec<(usize, &'static str)> {
    let named = |(index, line): (usize, &str)| {
        let line = line.to_ascii_lowercase();
        let hits: Vec<_> = NAMES.iter().filter(|name| contains_word(&line, name)).collect();
        hits.into_iter().map(move |name| (index + 1, *name)).collect::<Vec<_>>()
    };
    text.lines().enumerate().flat_map(named).collect()
}

/// Whether `word` is in `line` with neither a letter nor a digit next to it.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

/// All files under `folder`, in name order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).at(folder)? {
        entries.push(entry.at(folder)?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmarks_name_is_found_in_code_and_in_comments() {
        let text =
            "let a = 1;\nif comm == b\"lat_pipe\" { cheat() }\n// tuned for Hackbench-like loads\n";
        assert_eq!(names_in(text), [(2, "lat_pipe"), (3, "hackbench")]);
        assert_eq!(names_in("const RUNS_UNDER_IPERF3: bool"), [(1, "iperf3")]);
    }

    #[test]
    fn words_that_contain_a_name_are_no_finding() {
        assert_eq!(names_in("fiona prefio; flat_fsx; iperfect; platform"), []);
    }

    #[test]
    fn this_tree_is_fair() {
        assert_eq!(findings().unwrap(), [""; 0]);
    }
}
