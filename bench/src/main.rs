//! The command line of the benchmark program, reached by `cargo xtask bench`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use bench::compare::Comparison;
use bench::journal::Journal;
use bench::machine::System;
use bench::plan::{self, Plan};
use bench::report::history::{self, History};
use bench::report::{Headlines, html, markdown};
use bench::results::{Figure, Growth, InKernel, Report, SCHEMA, Settings};
use bench::{boot, growth, in_kernel, machine};
use clap::Parser;
use xtask::error::AtPath;
use xtask::{paths, test};

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
    /// The only rows: names, or names with parameters, with `*` for anything, separated by commas.
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// The only suite; may be repeated.
    #[arg(long, value_name = "NAME")]
    suite: Vec<String>,
    /// What is counted; both by default.
    #[arg(long, value_enum)]
    figure: Option<Figure>,
    /// Count instructions twice and say how far the two are apart; always done without --quick.
    #[arg(long)]
    verify_icount: bool,
    /// Measure Linux with its stock command line as well.
    #[arg(long)]
    stock: bool,
    /// Measure the kernel that was built last, without looking whether it is up to date.
    #[arg(long)]
    no_build: bool,
    /// Go on with this commit's newest run, which was cut off, where it stopped.
    #[arg(long)]
    resume: bool,
    /// Only how costs grow; with --only, these operations.
    #[arg(long, conflicts_with_all = ["suite", "quick"])]
    growth: bool,
    /// Only what NOS measures of itself; with --only, these operations.
    #[arg(long, conflicts_with_all = ["suite", "growth"])]
    kernel: bool,
    /// The folder for the results; by default bench/results, or target/nos/bench/partial if only some of the rows were asked for.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Put the headline rows into README.md and all of them into docs/benchmarks.md.
    #[arg(long)]
    publish: bool,
    /// Measure nothing: write the report about a result, by default the newest.
    #[arg(long, value_name = "RESULT", num_args = 0..=1, conflicts_with = "compare")]
    report: Option<Option<PathBuf>>,
    /// Measure nothing: compare two results, the newer being the newest by default; exits with 1 if NOS became more than 5 % worse in
    /// instructions anywhere, and says where.
    #[arg(long, value_names = ["OLD", "NEW"], num_args = 1..=2)]
    compare: Vec<PathBuf>,
}

impl Cli {
    /// Whether only some of the rows were asked for.
    fn is_narrowed(&self) -> bool {
        self.only.is_some()
            || !self.suite.is_empty()
            || self.growth
            || self.kernel
            || self.figure.is_some()
    }

    /// The folder for the results: what is part of the repository is not mixed with parts of results.
    fn results(&self) -> xtask::error::Result<PathBuf> {
        Ok(match &self.output {
            Some(folder) => folder.clone(),
            None if self.is_narrowed() => paths::target()?.join("bench/partial"),
            None => paths::root().join("bench/results"),
        })
    }

    fn measure_growth(&self, plan: &Plan) -> anyhow::Result<Vec<Growth>> {
        if self.quick || self.is_narrowed() && !self.growth {
            return Ok(Vec::new());
        }
        Ok(growth::measure(|operation| self.wants(operation), plan.counts(), &plan.journal)?)
    }

    fn measure_kernel(&self, plan: &Plan) -> anyhow::Result<Vec<InKernel>> {
        if self.is_narrowed() && !self.kernel {
            return Ok(Vec::new());
        }
        let wanted = |operation: &str| self.wants(operation);
        let (settings, figures) = (&plan.settings, &plan.figures);
        Ok(in_kernel::measure(settings, figures, plan.counts(), wanted, &plan.journal)?)
    }

    /// Whether an operation that has no suite is among the only ones asked for.
    fn wants(&self, operation: &str) -> bool {
        self.only.as_ref().is_none_or(|patterns| test::matches(patterns, operation))
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    if let [old, rest @ ..] = cli.compare.as_slice() {
        return compare(old, rest.first(), &cli.results()?);
    }
    if let Some(result) = &cli.report {
        let result = match result {
            Some(path) => Report::read(path)?,
            None => newest(&cli.results()?)?,
        };
        write_report(cli, &result)?;
        return Ok(ExitCode::SUCCESS);
    }
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
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let git = machine::commit()?;
    let raw = paths::target()?.join("bench");
    let journal = if cli.resume {
        Journal::resumed(cut_off(&raw, &git, cli.quick)?)
    } else {
        Journal::new(raw.join(name(&date, &git, cli.quick)))
    };
    let mut systems = vec![System::Linux, System::Nos];
    if cli.stock {
        systems.push(System::StockLinux);
    }
    let plan = Plan {
        settings: settings.clone(),
        suites: cli.suite.clone(),
        only: cli.only.clone(),
        figures: cli.figure.map_or(vec![Figure::Instructions, Figure::WallClock], |one| vec![one]),
        systems,
        verify: cli.verify_icount || !cli.quick,
        journal,
    };
    let report = Report {
        schema: SCHEMA,
        machine: machine::describe(cli.stock)?,
        date,
        git,
        boot: boot::measure(if cli.is_narrowed() { 1 } else { settings.rounds })?,
        settings,
        rows: if cli.growth || cli.kernel { Vec::new() } else { plan::measure(&plan)? },
        growth: cli.measure_growth(&plan)?,
        kernel: cli.measure_kernel(&plan)?,
    };
    let results = paths::created(cli.results()?)?;
    let raw = plan.journal.folder();
    let name = raw.file_name().unwrap_or_default().to_string_lossy();
    let file = results.join(format!("{name}.json"));
    report.write(&file)?;
    eprintln!("all that the programs printed: {}", raw.display());
    eprintln!("results: {}", file.display());
    for removed in history::prune(&results)? {
        eprintln!(
            "older than the {} results that are kept: removed {}",
            history::KEPT,
            removed.display()
        );
    }
    write_report(cli, &report)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page, and with `--publish` the tables that are part of the repository.
fn write_report(cli: &Cli, result: &Report) -> anyhow::Result<()> {
    let headlines = Headlines::of_suites();
    let past = history::read(&cli.results()?)?.into_iter().map(|(_, past)| past);
    let past: Vec<Report> = past.collect();
    let page = html::page(result, &History::of(result, &past, &headlines))?;
    let folder = paths::created(paths::target()?.join("bench"))?;
    for (name, text) in [("report.html", page), ("report.md", markdown::page(result))] {
        let file = folder.join(name);
        fs::write(&file, text).at(&file)?;
        eprintln!("report: {}", file.display());
    }
    if cli.publish {
        let readme = paths::root().join("README.md");
        markdown::replace_between_markers(&readme, &markdown::headline(result, &headlines))?;
        let page = paths::root().join("docs/benchmarks.md");
        fs::write(&page, markdown::page(result)).at(&page)?;
        eprintln!("published: {}, {}", readme.display(), page.display());
    }
    Ok(())
}

fn compare(old: &Path, new: Option<&PathBuf>, results: &Path) -> anyhow::Result<ExitCode> {
    let old = Report::read(old)?;
    let new = match new {
        Some(path) => Report::read(path)?,
        None => newest(results)?,
    };
    let comparison = Comparison::of(&old, &new);
    println!("{} of {} against {} of {}", new.git, new.date, old.git, old.date);
    print!("{comparison}");
    Ok(if comparison.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn newest(results: &Path) -> anyhow::Result<Report> {
    let newest = history::read(results)?.pop();
    let (_, newest) =
        newest.ok_or_else(|| anyhow::anyhow!("{} holds no result", results.display()))?;
    Ok(newest)
}

/// `2026-01-31-0123456`: names sort by date.
fn name(date: &str, git: &str, quick: bool) -> String {
    let day = date.split('T').next().unwrap_or_default();
    format!("{day}-{}", without_date(git, quick))
}

fn without_date(git: &str, quick: bool) -> String {
    let quick = if quick { "-quick" } else { "" };
    format!("{}{quick}", git.trim_end_matches('+'))
}

/// The folder of the newest run of this commit.
fn cut_off(runs: &Path, git: &str, quick: bool) -> anyhow::Result<PathBuf> {
    if git.ends_with('+') {
        anyhow::bail!("files differ from {git}: what a run of that commit found is not theirs");
    }
    let end = format!("-{}", without_date(git, quick));
    let mut found = Vec::new();
    for entry in fs::read_dir(paths::created(runs.to_path_buf())?).at(runs)? {
        let entry = entry.at(runs)?;
        if entry.file_name().to_string_lossy().ends_with(&end) {
            found.push(entry.path());
        }
    }
    let newest = found.into_iter().max();
    newest.ok_or_else(|| anyhow::anyhow!("no run of {git} is in {}", runs.display()))
}
