//! What can go wrong in the host program, as one typed error.
//!
//! Every variant prints as one sentence that tells the person at the keyboard what to do next
//! where there is something to do.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// A failure of one step of the host program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read, written or created.
    #[error("{}: {source}", path.display())]
    File {
        /// What was being touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("cannot start `{program}`: {source} (`make setup` installs what is missing)")]
    Start {
        /// The program's name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ran and reported failure.
    #[error("`{program}` failed with {status}{}", hint(detail))]
    Failed {
        /// The program's name and what it was asked to do.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said, or an empty string.
        detail: String,
    },
    /// A package or a source archive could not be downloaded and is not in the cache.
    #[error("{what} is not in the cache and could not be downloaded: {why}")]
    Download {
        /// What was wanted.
        what: String,
        /// What the downloader said.
        why: String,
    },
    /// Data that does not have the form it must have.
    #[error("{0}")]
    Format(String),
    /// A wrong or impossible request by the user.
    #[error("{0}")]
    Usage(String),
}

/// The result of one step.
pub type Result<T> = std::result::Result<T, Error>;

/// Says which path an I/O error is about.
pub trait AtPath<T> {
    /// Turns the I/O error into [`Error::File`] for `path`.
    fn at(self, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| Error::File { path: path.as_ref().to_path_buf(), source })
    }
}

fn hint(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(":\n{detail}") }
}
