//! Where things are: the repository, its build folder, and the download cache.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{AtPath, Error, Result};

/// The root of the repository.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The folder for everything this program generates; ignored by version control.
pub fn target() -> Result<PathBuf> {
    created(root().join("target/nos"))
}

/// The file `name` among the logs of this build.
pub fn log(name: &str) -> Result<PathBuf> {
    Ok(created(target()?.join("logs"))?.join(name))
}

/// The folder that survives `cargo clean`: downloads and programs built from them.
///
/// `$NOS_CACHE`, else `$XDG_CACHE_HOME/nos`, else `~/.cache/nos`.
pub fn cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("NOS_CACHE") {
        return created(PathBuf::from(folder));
    }
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => Path::new(&home).join(".cache"),
        _ => return Err(Error::Usage("set HOME or XDG_CACHE_HOME: the cache lives there".into())),
    };
    created(base.join("nos"))
}

/// `folder`, which exists afterwards.
pub fn created(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).at(&folder)?;
    Ok(folder)
}

/// Removes `folder` and all it holds, if it exists.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at(folder),
        _ => Ok(()),
    }
}

/// Holds `folder` for this process alone until the result is dropped.
pub fn lock(folder: &Path) -> Result<fs::File> {
    let path = folder.join(".lock");
    let file = fs::File::create(&path).at(&path)?;
    file.lock().at(&path)?;
    Ok(file)
}
