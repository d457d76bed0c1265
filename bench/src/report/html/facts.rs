//! Start and size, the kernel's own measurements, how well counts repeat, and the machine.

use maud::{Markup, html};

use super::value;
use crate::report::verdict::{Verdict, reasons, title};
use crate::report::{cpus, number};
use crate::results::{Figure, InKernel, KernelInfo, Report};

/// Two counts of one kernel may differ by this much.
const AGREEMENT: f64 = 0.005;

/// Start and size of both kernels.
pub fn start(report: &Report) -> Markup {
    let boot = &report.boot;
    html! {
        table {
            thead { tr { th { "" } th.n { "NOS" } th.n { "Linux" } th.n { "NOS/Linux" } th { "" } } }
            tbody {
                @for (name, pair) in [
                    ("machine's start to the first output of a command, ms", &boot.first_user_instruction),
                    ("memory used when idle, KiB", &boot.idle_memory),
                    ("kernel image, bytes", &boot.image_size),
                ] {
                    @let verdict = Verdict::of(pair.ratio()).name();
                    tr class=(verdict) {
                        td { (name) }
                        td.n { (value(&pair.nos)) }
                        td.n { (value(&pair.linux)) }
                        td.n { span class=(verdict) {
                            @match pair.ratio() {
                                Some(ratio) => (number::ratio(ratio.median)),
                                None => "missing",
                            }
                        } }
                        td.reason { (reasons(&pair.nos, &pair.linux)) }
                    }
                }
            }
        }
    }
}

/// What NOS measures of itself.
pub fn kernel(figures: &[InKernel]) -> Markup {
    html! {
        p.note {
            "Measured by NOS of itself at its start, on so many CPUs at once: what an operation takes each of them. "
            "The share is the part of the busiest CPU's operations that the least busy one did. There are no such figures of Linux."
        }
        div.wide { table {
            thead { tr { th { "operation" } th.n { "CPUs" } th.n { "ns" } th.n { "instructions" } th.n { "share" } th { "" } } }
            tbody {
                @for one in figures {
                    tr {
                        td { (one.name) }
                        td.n { (one.cpus) }
                        td.n { @if let Some(time) = one.ns { (number::figure(time)) } }
                        td.n { @if let Some(count) = one.instructions { (number::figure(count)) } }
                        td.n { @if let Some(share) = one.share { (number::ratio(share)) } }
                        td.reason { @if let Some(reason) = &one.missing { (reason) } }
                    }
                }
            }
        } }
    }
}

/// How far two counts of the same kernel are apart.
pub fn repeatability(report: &Report) -> Markup {
    let rows = report.rows.iter().filter(|row| row.figure == Figure::Instructions);
    let rows = rows.map(|row| (row.suite.as_str(), title(row), row.repeat_difference));
    let growth = report.growth.iter().filter(|growth| growth.figure == Figure::Instructions);
    let growth = growth.map(|growth| ("growth", growth.name.clone(), growth.repeat_difference));
    let kernel = report.kernel.iter().filter(|one| one.instructions.is_some());
    let kernel = kernel.map(|one| ("inside the kernel", one.name.clone(), one.repeat_difference));
    let counted: Vec<_> = rows.chain(growth).chain(kernel).collect();
    let all = counted.len();
    let mut twice: Vec<_> = counted
        .into_iter()
        .filter_map(|(suite, name, difference)| Some((suite, name, difference?)))
        .collect();
    twice.sort_by(|(.., one), (.., other)| other.total_cmp(one));
    let apart = twice.iter().filter(|(.., difference)| *difference > AGREEMENT).count();
    html! {
        @match twice.first() {
            None => p { "No row was counted twice in this run." },
            Some((.., greatest)) => {
                p {
                    "Of " (all) " rows, curves and measurements counted in instructions, " (twice.len()) " were counted in two runs of each kernel. "
                    (twice.len() - apart) " agree within " (percent(AGREEMENT)) "; the greatest difference is " (percent(*greatest)) "."
                }
                @if apart > 0 {
                    table {
                        thead { tr { th { "suite" } th { "row" } th.n { "difference" } } }
                        tbody { @for (suite, name, difference) in &twice[..apart] {
                            tr.worse { td { (suite) } td { (name) } td.n { (percent(*difference)) } }
                        } }
                    }
                }
            },
        }
    }
}

fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}

/// Where it was measured.
pub fn machine(report: &Report) -> Markup {
    let machine = &report.machine;
    let settings = &report.settings;
    let smp: Vec<_> = settings.smp.iter().map(u32::to_string).collect();
    let kernel = |info: &KernelInfo| {
        html! { (info.version) br; code { (info.command_line) } }
    };
    html! {
        table { tbody {
            tr { th { "date" } td { (report.date) } }
            tr { th { "host" } td { (machine.host_cpu) ", " (cpus(machine.host_cpus)) } }
            tr { th { "QEMU" } td { (machine.qemu_version) } }
            tr { th { "accelerator" } td { code { (machine.accelerator) } " in wall-clock rows; TCG with one instruction a nanosecond in instruction rows" } }
            tr { th { "CPU model" } td { code { (machine.cpu_model) } } }
            tr { th { "guest" } td { (machine.guest_memory) " of memory; CPUs: " (smp.join(", ")) } }
            tr { th { "rounds" } td { (settings.rounds) " in wall-clock rows, the kernels in turn" } }
            tr { th { "NOS" } td { (kernel(&machine.kernels.nos)) } }
            tr { th { "Linux" } td { (kernel(&machine.kernels.linux)) } }
            @if let Some(stock) = &machine.kernels.linux_stock {
                tr { th { "Linux, stock" } td { (kernel(stock)) } }
            }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn rows_whose_counts_differ_are_named() {
        let mut report = fixtures::report();
        let text = repeatability(&report).into_string();
        assert!(text.contains("1 were counted in two runs"), "{text}");
        assert!(
            text.contains("1 agree within 0.50 %; the greatest difference is 0.10 %"),
            "{text}"
        );
        assert!(!text.contains("<table>"), "{text}");
        report.rows[0].repeat_difference = Some(0.02);
        let text = repeatability(&report).into_string();
        assert!(text.contains("0 agree") && text.contains("lat_pipe"), "{text}");
        assert!(text.contains("2.00 %"), "{text}");
        report.growth[0].repeat_difference = Some(0.03);
        let text = repeatability(&report).into_string();
        assert!(text.contains("2 were counted in two runs"), "{text}");
        assert!(text.contains("growth") && text.contains("3.00 %"), "{text}");
    }

    #[test]
    fn without_a_second_run_nothing_is_claimed() {
        let mut report = fixtures::report();
        report.rows[0].repeat_difference = None;
        assert!(repeatability(&report).into_string().contains("No row was counted twice"));
    }
}
