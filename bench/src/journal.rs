//! The parts of a run that are done, kept beside what the programs printed, so that a run that was cut off can go on.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xtask::error::{AtPath, Error, Result};
use xtask::paths;

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: PathBuf,
    /// Whether parts that are there are taken instead of made.
    resume: bool,
}

/// A part as it is kept: what it was made from, and what came of it.
#[derive(Serialize, Deserialize)]
struct Part<T> {
    input: String,
    output: T,
}

impl Journal {
    /// The journal of a new run in `folder`: parts of an earlier one are made anew.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, resume: false }
    }

    /// The journal of a run that goes on in `folder`.
    pub fn resumed(folder: PathBuf) -> Self {
        Self { folder, resume: true }
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file `name` in the run's folder, which exists then.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        Ok(paths::created(self.folder.clone())?.join(name))
    }

    /// What the run had as `name` before it was cut off, if it was made from the same `input`; else what `make` returns, which
    /// is kept.
    pub fn part<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        input: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let file = self.file(&format!("{name}.json"))?;
        if self.resume
            && let Ok(text) = fs::read(&file)
            && let Ok(part) = serde_json::from_slice::<Part<T>>(&text)
            && part.input == input
        {
            return Ok(part.output);
        }
        let part = Part { input: input.to_owned(), output: make()? };
        let text = serde_json::to_vec(&part)
            .map_err(|error| Error::Format(format!("{}: {error}", file.display())))?;
        // A run that is cut off here must not leave half of a part.
        let unfinished = file.with_extension("new");
        fs::write(&unfinished, text).at(&unfinished)?;
        fs::rename(&unfinished, &file).at(&file)?;
        Ok(part.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_goes_on_makes_only_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let new = Journal::new(folder.path().to_path_buf());
        assert_eq!(new.part("a", "x", || Ok(1)).unwrap(), 1);
        assert_eq!(new.part("a", "x", || Ok(2)).unwrap(), 2);
        let resumed = Journal::resumed(folder.path().to_path_buf());
        assert_eq!(resumed.part("a", "x", || Ok(3)).unwrap(), 2);
        assert_eq!(resumed.part("b", "x", || Ok(3)).unwrap(), 3);
    }

    #[test]
    fn a_part_that_was_made_from_something_else_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let resumed = Journal::resumed(folder.path().to_path_buf());
        assert_eq!(resumed.part("a", "x", || Ok(1)).unwrap(), 1);
        assert_eq!(resumed.part("a", "y", || Ok(2)).unwrap(), 2);
        fs::write(folder.path().join("a.json"), "{").unwrap();
        assert_eq!(resumed.part("a", "y", || Ok(3)).unwrap(), 3);
    }
}
