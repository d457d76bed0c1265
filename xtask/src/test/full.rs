//! A machine whose memory is filled with files, again and again: who fills it is told so, nobody else notices, and all of it comes back.

use std::fs;
use std::process::Command;

use super::results::{Case, Verdict};
use crate::error::{AtPath, Result};
use crate::vm::{self, Ending, Kernel, Options};
use crate::{paths, process, progress};

/// Part of this memory is free.
const MEMORY: &str = "128M";
/// The time limit of the machine, in seconds.
const LIMIT: u64 = 300;
/// The project's sources, as a tree of many small files.
const TREE: [&str; 8] =
    ["abi", "bench", "docs", "kernel", "loader", "rootfs", "tests-ltp", "xtask"];

/// Unpacks trees until there is no room, in a file system that may take more than there is.
const SCRIPT: &str = "\
mkdir /tmp/full
mount -t tmpfs -o size=1g none /tmp/full
bystanders=
for i in 1 2 3 4; do sleep 1000 & bystanders=\"$bystanders $!\"; done
free() { sed -n 's/MemAvailable: *\\([0-9]*\\).*/\\1/p' /proc/meminfo; }
for round in $(seq 20); do
	tree=0
	while mkdir /tmp/full/$tree && tar xf /run/nos/tree.tar -C /tmp/full/$tree; do
		tree=$((tree + 1))
	done 2>/dev/null
	[ $tree -gt 0 ] || echo \"round $round: not even one\"
	rm -rf /tmp/full/*
	[ $round -eq 2 ] && sleep 1 && before=$(free)
done
for i in $(seq 10); do
	sleep 0.5
	after=$(free)
	[ $after -gt $((before * 99 / 100)) ] && break
done
[ $after -gt $((before * 99 / 100)) ] || echo \"free: $before KiB, then $after\"
kill -0 $bystanders || echo 'a bystander was killed'
dmesg | grep -i 'out of memory'
echo done";

/// Runs it on NOS. Linux does not come up in so little memory, and its OOM killer would look for whom to kill for files.
pub fn run(base: &Options) -> Result<Case> {
    let overlay = paths::target()?.join("full-overlay");
    paths::remove(&overlay)?;
    let tar = paths::created(overlay.join("run/nos"))?.join("tree.tar");
    let mut pack = Command::new("tar");
    pack.current_dir(paths::root()).arg("-cf").arg(&tar).args(TREE);
    process::run_quietly(&mut pack)?;
    fs::metadata(&tar).at(&tar)?;
    let options = Options {
        on: Kernel::Nos,
        smp: 2,
        mem: MEMORY.into(),
        overlay: vec![overlay],
        timeout: Some(LIMIT),
        command: ["sh", "-c", SCRIPT].map(String::from).to_vec(),
        ..base.clone()
    };
    let _progress = progress::spinner("memory_full_of_files on nos");
    let outcome = vm::run(&options)?;
    let output = String::from_utf8_lossy(&outcome.output).into_owned();
    let verdict = match outcome.ending {
        Ending::Status(0) if output == "done\n" => Verdict::Passed,
        ending => Verdict::Failed(format!("{ending:?}: {output:?}")),
    };
    Ok(Case {
        name: "smoke/nos/memory_full_of_files".into(),
        verdict,
        output: outcome.last_words(),
    })
}
