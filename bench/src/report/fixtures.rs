//! Small results for tests.

use crate::results::{
    Better, Boot, Figure, Growth, InKernel, KernelInfo, Kernels, Machine, Outcome, Pair, Report,
    Row, SCHEMA, Settings,
};

/// An outcome with these samples, missing if there are none.
pub fn outcome(samples: &[f64]) -> Outcome {
    if samples.is_empty() { Outcome::missing("no sample") } else { Outcome::measured(samples) }
}

/// A row of lmbench in instructions.
pub fn row(name: &str, nos: &[f64], linux: &[f64]) -> Row {
    Row {
        suite: "lmbench".into(),
        name: name.into(),
        label: String::new(),
        unit: "instructions".into(),
        better: Better::Lower,
        smp: 1,
        figure: Figure::Instructions,
        nos: outcome(nos),
        linux: outcome(linux),
        linux_stock: None,
        repeat_difference: None,
    }
}

/// A curve whose last size NOS did not reach.
pub fn growth(name: &str) -> Growth {
    Growth {
        name: name.into(),
        unit: "instructions".into(),
        sizes: vec![10, 1_000, 100_000],
        figure: Figure::Instructions,
        nos: vec![outcome(&[100.0]), outcome(&[120.0]), Outcome::missing("clone: <EAGAIN>")],
        linux: vec![outcome(&[300.0]), outcome(&[600.0]), outcome(&[900.0])],
        repeat_difference: None,
    }
}

/// A report with a row of every kind.
pub fn report() -> Report {
    let mut throughput = row("bw_pipe", &[400.0, 420.0], &[200.0, 210.0]);
    throughput.better = Better::Higher;
    throughput.figure = Figure::WallClock;
    throughput.unit = "MB/s".into();
    let mut twice = row("lat_pipe", &[6_443.0], &[27_019.0]);
    twice.repeat_difference = Some(0.001);
    let mut worse = row("lat_<script>", &[30.0], &[20.0]);
    worse.label = "a & b".into();
    let mut missing = row("lat_tcp", &[], &[29_776.0]);
    missing.nos = Outcome::missing("socket: \"not supported\" <here>");
    Report {
        schema: SCHEMA,
        machine: Machine {
            host_cpu: "A CPU".into(),
            host_cpus: 2,
            qemu_version: "QEMU 7.2".into(),
            accelerator: "tcg".into(),
            cpu_model: "max,-erms".into(),
            guest_memory: "1G".into(),
            kernels: Kernels {
                nos: KernelInfo { version: "6.12.0-nos".into(), command_line: "panic=-1".into() },
                linux: KernelInfo { version: "6.12.95".into(), command_line: "quiet".into() },
                linux_stock: None,
            },
        },
        date: "2026-01-02T03:04:05Z".into(),
        git: "0123456".into(),
        settings: Settings { rounds: 2, smp: vec![1], quick: false },
        rows: vec![twice, worse, missing, throughput],
        growth: vec![growth("fork")],
        kernel: vec![InKernel {
            name: "alloc 16 B".into(),
            cpus: 2,
            ns: Some(12.5),
            instructions: Some(40.0),
            repeat_difference: None,
            share: Some(0.9),
            missing: None,
        }],
        boot: Boot {
            first_user_instruction: Pair { nos: outcome(&[250.0]), linux: outcome(&[3_300.0]) },
            idle_memory: Pair { nos: outcome(&[20_000.0]), linux: outcome(&[60_000.0]) },
            image_size: Pair { nos: outcome(&[5e6]), linux: outcome(&[12e6]) },
        },
    }
}
