//! Whole machines: CPU counts, NUMA nodes, exit statuses, hostile loads, boots in a row.

use std::time::Duration;

use super::full;
use super::guest;
use super::results::{Case, Verdict};
use crate::error::Result;
use crate::progress;
use crate::vm::{self, Ending, Kernel, Options};

/// The time limit of one machine, in seconds.
const MACHINE_LIMIT: u64 = 120;
/// The boots of which the quickest counts.
const TIMED_BOOTS: u32 = 3;
/// NOS has to be up in this part of Linux's time.
const BOOT_TIME_SHARE: u32 = 3;
/// Boots in a row.
const BOOTS: u32 = 10;

/// One machine and what it has to come to.
struct Check {
    name: &'static str,
    smp: u32,
    nodes: u32,
    mem: &'static str,
    /// What the kernel's command line has besides.
    append: &'static str,
    script: &'static str,
    output: &'static str,
    status: i32,
}

/// Everybody starts two of themselves. The shell above them must not start anything while they are at
/// it, as it ends when it cannot; afterwards it kills them all, and works on.
const FORK_BOMB: &str = "\
mkfifo /tmp/clock
(bomb() { bomb | bomb & }; bomb) >/dev/null 2>&1 &
read -t 5 nothing <>/tmp/clock
for i in 1 2 3 4; do
	kill -9 -1 2>/dev/null
	read -t 2 nothing <>/tmp/clock
done
(exit 0) && echo survived";

/// A program that touches all the memory there is dies; the shell does not.
const MEMORY_HOG: &str = "\
awk 'BEGIN { x = \"0123456789abcdef\"; while (1) x = x x }' >/dev/null 2>&1
[ $? -ne 0 ] && echo ended
tail -c 1000000000 /dev/zero >/dev/null 2>&1
[ $? -ne 0 ] && echo ended
echo survived";

const CHECKS: [Check; 12] = [
    Check { name: "one_cpu", smp: 1, script: "nproc", output: "1\n", ..Check::USUAL },
    Check { name: "two_cpus", smp: 2, script: "nproc", output: "2\n", ..Check::USUAL },
    Check { name: "four_cpus", smp: 4, script: "nproc", output: "4\n", ..Check::USUAL },
    Check { name: "eight_cpus", smp: 8, script: "nproc", output: "8\n", ..Check::USUAL },
    Check {
        name: "nodes_and_distances",
        smp: 4,
        nodes: 3,
        script: NODES,
        output: "0-2 0-2 0-2\n0 10 21 32\n1 21 10 21\n2-3 32 21 10\n",
        ..Check::USUAL
    },
    Check {
        name: "node_without_cpu",
        nodes: 2,
        script: NODES,
        output: "0-1 0 0-1\n0 10 21\n 21 10\n",
        ..Check::USUAL
    },
    Check { name: "exit_status", script: "exit 42", status: 42, ..Check::USUAL },
    Check { name: "death_by_signal", script: "kill -9 $$", status: 137, ..Check::USUAL },
    Check { name: "orphans_are_reaped", script: ORPHANS, output: "0\n", ..Check::USUAL },
    Check {
        name: "mounts",
        script: MOUNTS,
        output: "/dev /dev/pts /proc /sys /tmp \n",
        ..Check::USUAL
    },
    Check {
        name: "memory_hog",
        mem: "256M",
        script: MEMORY_HOG,
        output: "ended\nended\nsurvived\n",
        ..Check::USUAL
    },
    Check {
        name: "fork_bomb",
        mem: "256M",
        script: FORK_BOMB,
        output: "survived\n",
        ..Check::USUAL
    },
];

/// Keeps two CPUs in user mode, the others idle now and then, and starts programs, until the kernel says how its torture of RCU ended.
const RCU_TORTURE: &str = "\
for i in 1 2; do (while :; do :; done) & spinners=\"$spinners $!\"; done
until dmesg | grep -q 'rcutorture: [pf]a'; do (exit 0); sleep 0.1; done
kill $spinners
dmesg | grep -o 'rcutorture: [pf]a[a-z]*'";

const NODES: &str = "\
cd /sys/devices/system/node
echo $(cat online) $(cat has_cpu) $(cat has_memory)
for node in node*; do echo \"$(cat $node/cpulist) $(cat $node/distance)\"; done";

const ORPHANS: &str = "sh -c 'sleep 0.1 & sleep 0.1 & exit'; sleep 0.5; ps -o stat | grep -c Z; :";
const MOUNTS: &str =
    "for m in /dev /dev/pts /proc /sys /tmp; do mountpoint -q $m && printf '%s ' $m; done; echo";

impl Check {
    const USUAL: Self = Self {
        name: "",
        smp: 1,
        nodes: 1,
        mem: "1G",
        append: "",
        script: "",
        output: "",
        status: 0,
    };

    fn run(&self, kernel: Kernel, base: &Options) -> Result<Case> {
        let options = Options {
            on: kernel,
            smp: self.smp,
            nodes: self.nodes,
            mem: self.mem.into(),
            append: self.append.into(),
            timeout: Some(MACHINE_LIMIT),
            command: ["sh", "-c", self.script].map(String::from).to_vec(),
            ..base.clone()
        };
        let _progress = progress::spinner(format!("{} on {}", self.name, kernel.name()));
        let outcome = vm::run(&options)?;
        let output = String::from_utf8_lossy(&outcome.output).into_owned();
        let verdict = match outcome.ending {
            Ending::TimedOut => Verdict::Failed("ran out of time".into()),
            Ending::Panicked => Verdict::Failed("the kernel stopped".into()),
            Ending::Status(status) if status != self.status => {
                Verdict::Failed(format!("exit status {status}, not {}", self.status))
            }
            Ending::Status(_) if output != self.output => {
                Verdict::Failed(format!("printed {output:?}, not {:?}", self.output))
            }
            Ending::Status(_) => Verdict::Passed,
        };
        let output = match (&verdict, outcome.ending) {
            (Verdict::Failed(_), _) => outcome.last_words(),
            _ => String::new(),
        };
        Ok(Case { name: format!("smoke/{}/{}", kernel.name(), self.name), verdict, output })
    }
}

/// Runs the machines on `kernel`.
pub fn run(kernel: Kernel, only: Option<&str>, base: &Options) -> Result<Vec<Case>> {
    let wanted = |name: &str| only.is_none_or(|pattern| super::matches(pattern, name));
    let mut cases = Vec::new();
    for check in CHECKS.iter().filter(|check| wanted(check.name)) {
        cases.push(check.run(kernel, base)?);
    }
    if wanted("two_nodes") {
        cases.extend(two_nodes(kernel, base)?);
    }
    if kernel == Kernel::Nos && wanted("memory_full_of_files") {
        cases.push(full::run(base)?);
    }
    if kernel == Kernel::Nos && wanted("boots_in_a_row") {
        for _ in 0..BOOTS {
            let check = Check {
                name: "boots_in_a_row",
                smp: 2,
                script: "echo up",
                output: "up\n",
                ..Check::USUAL
            };
            cases.push(check.run(kernel, base)?);
        }
    }
    if kernel == Kernel::Nos && wanted("rcu_torture") {
        let check = Check {
            name: "rcu_torture",
            smp: 4,
            append: "rcutorture=5",
            script: RCU_TORTURE,
            output: "rcutorture: passed\n",
            ..Check::USUAL
        };
        cases.push(check.run(kernel, base)?);
    }
    if kernel == Kernel::Nos && wanted("measures_itself") {
        cases.push(measures_itself(base)?);
    }
    Ok(cases)
}

/// The guest cases about nodes, where there are two.
fn two_nodes(kernel: Kernel, base: &Options) -> Result<Vec<Case>> {
    let options = Options { smp: 4, nodes: 2, mem: "512M".into(), ..base.clone() };
    let mut cases = guest::run(kernel, Some("numa_*,vdso_agrees_with_the_calls"), &options)?;
    for case in &mut cases {
        case.name = case.name.replace("guest/", "smoke/two_nodes/");
    }
    Ok(cases)
}

/// The kernel measures itself and turns the machine off, instead of starting a program.
fn measures_itself(base: &Options) -> Result<Case> {
    let options =
        Options { smp: 2, append: "kbench".into(), timeout: Some(MACHINE_LIMIT), ..base.clone() };
    let _progress = progress::spinner("measures_itself on nos");
    let outcome = vm::run_kernel(&options)?;
    let said_all = outcome.last_words().contains("kbench: done");
    let verdict = match outcome.ending {
        Ending::Status(0) if said_all => Verdict::Passed,
        ending => Verdict::Failed(format!("{ending:?}")),
    };
    let output = outcome.last_words();
    Ok(Case { name: "smoke/nos/measures_itself".into(), verdict, output })
}

/// Compares the times to the first line of a shell script.
pub fn boot_time(base: &Options) -> Result<Vec<Case>> {
    let linux = quickest(Kernel::Linux, base)?;
    let nos = quickest(Kernel::Nos, base)?;
    println!("to a script's first line: Linux {linux:.2?}, NOS {nos:.2?}");
    let verdict = if nos * BOOT_TIME_SHARE <= linux {
        Verdict::Passed
    } else {
        Verdict::Failed(format!("NOS takes {nos:.2?}, Linux {linux:.2?}"))
    };
    Ok(vec![Case::new("smoke/boot_time", verdict)])
}

fn quickest(kernel: Kernel, base: &Options) -> Result<Duration> {
    let options = Options {
        on: kernel,
        smp: 1,
        timeout: Some(MACHINE_LIMIT),
        command: ["sh", "-c", "echo up; sleep 0.1"].map(String::from).to_vec(),
        ..base.clone()
    };
    let mut best = Duration::from_secs(MACHINE_LIMIT);
    for _ in 0..TIMED_BOOTS {
        if let Some(time) = vm::run(&options)?.first_output {
            best = best.min(time);
        }
    }
    Ok(best)
}
