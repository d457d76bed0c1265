//! The reference: Debian's cloud kernel, unpacked in the cache and booted with our root file system.

use std::fs;
use std::path::{Path, PathBuf};

use crate::apt::Apt;
use crate::cpio::Archive;
use crate::error::{AtPath, Error, Result};
use crate::{paths, process};

const META_PACKAGE: &str = "linux-image-cloud-amd64";
/// The drivers for the devices that the virtual machine may have, each after what it needs.
const MODULES: [&str; 9] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "failover",
    "net_failover",
    "virtio_net",
];

/// An unpacked Linux kernel.
pub struct Linux {
    /// The bootable image.
    pub image: PathBuf,
    /// Its release, such as `6.1.0-50-cloud-amd64`.
    pub release: String,
    modules: PathBuf,
}

impl Linux {
    /// The kernel in the cache, downloading the newest one of the configured suites if there is none.
    pub fn open() -> Result<Self> {
        let folder = paths::created(paths::cache()?.join("linux"))?;
        let _lock = paths::lock(&folder)?;
        if let Some(found) = Self::unpacked(&folder)? {
            return Ok(found);
        }
        let apt = Apt::open()?;
        let package = apt
            .newest_dependencies(META_PACKAGE)?
            .into_iter()
            .find(|name| name.starts_with("linux-image-"))
            .ok_or_else(|| Error::Format(format!("{META_PACKAGE} names no kernel")))?;
        let partial = folder.join("partial");
        paths::remove(&partial)?;
        apt.unpack_package(&package, &partial)?;
        let finished = folder.join(&package);
        fs::rename(&partial, &finished).at(&finished)?;
        Self::unpacked(&folder)?
            .ok_or_else(|| Error::Format(format!("{package} holds no kernel image")))
    }

    fn unpacked(folder: &Path) -> Result<Option<Self>> {
        for entry in fs::read_dir(folder).at(folder)? {
            let package = entry.at(folder)?.path();
            let Ok(boot) = fs::read_dir(package.join("boot")) else { continue };
            for file in boot.flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                if let Some(release) = name.strip_prefix("vmlinuz-") {
                    let modules = ["lib/modules", "usr/lib/modules"]
                        .map(|folder| package.join(folder).join(release).join("kernel"))
                        .into_iter()
                        .find(|folder| folder.is_dir())
                        .unwrap_or_default();
                    let (image, release) = (file.path(), release.to_owned());
                    return Ok((package.file_name() != Some("partial".as_ref())).then_some(Self {
                        image,
                        release,
                        modules,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Lays out the virtio drivers where init looks for modules to load.
    pub fn add_modules(&self, archive: &mut Archive) -> Result<()> {
        archive.folder("run/nos/modules", 0o755)?;
        for (index, module) in MODULES.iter().enumerate() {
            let Some(file) = find_module(&self.modules, module) else { continue };
            let data = match file.extension().and_then(|text| text.to_str()) {
                Some("xz") => {
                    let mut command = std::process::Command::new("xz");
                    let plain = paths::target()?.join(format!("{module}.ko"));
                    let output = fs::File::create(&plain).at(&plain)?;
                    process::run(command.arg("-dc").arg(&file).stdout(output))?;
                    fs::read(&plain).at(&plain)?
                }
                _ => fs::read(&file).at(&file)?,
            };
            archive.file(&format!("run/nos/modules/{index:02}-{module}.ko"), 0o644, &data)?;
        }
        Ok(())
    }
}

fn find_module(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find_module(&path, name) {
                return Some(found);
            }
        } else if path.file_name()?.to_string_lossy().split('.').next() == Some(name) {
            return Some(path);
        }
    }
    None
}
