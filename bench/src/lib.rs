//! Measures NOS against Linux: the same virtual machine, the same files, the same programs.
//!
//! * [`results`]: the model that a run fills, and that is reported and compared
//! * [`suites`]: what is run, and how its figures are read
//! * [`plan`]: which of it is run where and how often; rounds, A B A B
//! * [`guest`]: many commands in one boot, and on after a crash
//! * [`devices`]: a disk and a network card, and the host at their other end
//! * [`journal`]: what is done of a run, which may go on after it was cut off
//! * [`packages`]: the programs, from Debian
//! * [`machine`]: what the figures were measured on
//! * [`boot`]: start and size of the kernels
//! * [`growth`]: costs as things become many
//! * [`in_kernel`]: what NOS measures of itself
//! * [`report`]: the page and the tables about a result
//! * [`compare`]: what became worse between two results
//!
//! How it measures, and why it is fair: `docs/benchmarking.md`.

pub mod boot;
pub mod compare;
pub mod devices;
pub mod growth;
pub mod guest;
pub mod in_kernel;
pub mod journal;
pub mod machine;
pub mod packages;
pub mod plan;
pub mod report;
pub mod results;
pub mod suites;
