//! The command line of the benchmark program, reached by `cargo xtask bench`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use bench::results::{Report, SCHEMA, Settings};
use bench::{boot, growth, machine};
use clap::Parser;
use xtask::paths;

/// Measures NOS against Linux.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// Headline rows alone, in a few minutes.
    #[arg(long)]
    quick: bool,
    /// The numbers of CPUs for wall-clock figures; by default 1,2,4, or 1 with --quick.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=255))]
    smp: Vec<u32>,
    /// The rounds of wall-clock figures; by default 5, or 1 with --quick.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Measure Linux with its stock command line as well.
    #[arg(long)]
    stock: bool,
    /// Measure the kernel that was built last, without looking whether it is up to date.
    #[arg(long)]
    no_build: bool,
    /// The folder for the results.
    #[arg(long, value_name = "DIR", default_value = "bench/results")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let settings = Settings {
        rounds: cli.rounds.unwrap_or(if cli.quick { 1 } else { 5 }),
        smp: match (cli.smp.as_slice(), cli.quick) {
            ([], true) => vec![1],
            ([], false) => vec![1, 2, 4],
            (given, _) => given.to_vec(),
        },
        quick: cli.quick,
    };
    if !cli.no_build {
        xtask::build::build(xtask::build::Profile::Kernel)?;
    }
    let report = Report {
        schema: SCHEMA,
        machine: machine::describe(cli.stock)?,
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        git: machine::commit()?,
        boot: boot::measure(settings.rounds)?,
        settings,
        rows: Vec::new(),
        growth: if cli.quick { Vec::new() } else { growth::measure()? },
        kernel: Vec::new(),
    };
    let file = paths::created(cli.output.clone())?.join(file_name(&report));
    report.write(&file)?;
    eprintln!("results: {}", file.display());
    Ok(())
}

/// `2026-01-31-0123456.json`, so that names sort by date.
fn file_name(report: &Report) -> String {
    let day = report.date.split('T').next().unwrap_or_default();
    let quick = if report.settings.quick { "-quick" } else { "" };
    format!("{day}-{}{quick}.json", report.git.trim_end_matches('+'))
}
