//! The initial ramdisk: archives in a row, each a whole number of pages long.
//!
//! For NOS the first archive holds the kernel itself as `boot/nos`, because `-initrd` is the only
//! file that QEMU's direct boot passes on: the loader finds the kernel there and gives all of the
//! file to it as a module. Linux gets the same archives without that first one. Then come the root
//! file system, one archive for every overlay, and the job that init runs.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cpio::Archive;
use crate::error::{AtPath, Result};

/// What init is to do, as it reads it from `/run/nos/job`.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The command and its arguments; empty for an interactive shell.
    pub words: Vec<String>,
    /// Further variables of its environment, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The content of its standard input, if it is to have any.
    pub stdin: Option<Vec<u8>>,
    /// Marks the end of its output.
    pub nonce: String,
    /// Rows and columns of the interactive terminal.
    pub terminal_size: Option<(u16, u16)>,
}

impl Job {
    fn add_to(&self, archive: &mut Archive) -> Result<()> {
        let mut text = Vec::new();
        let mut record = |key: &str, value: &str| {
            text.extend_from_slice(format!("{key}={value}\0").as_bytes());
        };
        record("nonce", &self.nonce);
        for word in &self.words {
            record("arg", word);
        }
        for variable in &self.environment {
            record("env", variable);
        }
        if let Some((rows, columns)) = self.terminal_size {
            record("rows", &rows.to_string());
            record("cols", &columns.to_string());
        }
        archive.folder("run", 0o755)?;
        archive.folder("run/nos", 0o755)?;
        archive.file("run/nos/job", 0o644, &text)?;
        if let Some(stdin) = &self.stdin {
            archive.file("run/nos/stdin", 0o644, stdin)?;
        }
        Ok(())
    }
}

/// The archive that makes the kernel reachable for the loader.
pub fn kernel_archive(kernel: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    archive.folder("boot", 0o755)?;
    archive.file("boot/nos", 0o644, &std::fs::read(kernel).at(kernel)?)?;
    archive.finish()
}

/// The archives of the overlay folders, each laid over `/`; nothing in them is newer than `newest`, in seconds since 1970.
pub fn overlay_archives(folders: &[PathBuf], newest: Option<u32>) -> Result<Vec<Vec<u8>>> {
    let archive = |folder: &PathBuf| {
        let mut archive = newest.map_or_else(Archive::new, Archive::until);
        archive.tree(folder)?;
        archive.finish()
    };
    folders.iter().map(archive).collect()
}

/// The archive with the job and whatever `extra` adds to it.
pub fn job_archive(job: &Job, extra: impl FnOnce(&mut Archive) -> Result<()>) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    job.add_to(&mut archive)?;
    extra(&mut archive)?;
    archive.finish()
}

/// Writes archives in a row into `path`.
pub fn write(path: &Path, archives: &[Vec<u8>]) -> Result<()> {
    let mut file = std::fs::File::create(path).at(path)?;
    for archive in archives {
        file.write_all(archive).at(path)?;
    }
    Ok(())
}
