//! `cargo xtask iso`: an image that boots NOS with a real Limine release, from BIOS and from UEFI.
//!
//! Limine's files come from the folder that `LIMINE_DIR` names (distributions have them in
//! `/usr/share/limine`). The recipe follows Limine's `USAGE.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{AtPath, Error, Result};
use crate::{paths, process};

/// Limine's files and where they go in the image.
const FILES: [(&str, &str); 4] = [
    ("limine-bios.sys", "boot/limine/limine-bios.sys"),
    ("limine-bios-cd.bin", "boot/limine/limine-bios-cd.bin"),
    ("limine-uefi-cd.bin", "boot/limine/limine-uefi-cd.bin"),
    ("BOOTX64.EFI", "EFI/BOOT/BOOTX64.EFI"),
];

/// Packs the kernel and its initial ramdisk into an ISO image.
pub fn pack(
    kernel: &Path,
    initrd: &Path,
    command_line: &str,
    limine: Option<&Path>,
    to: &Path,
) -> Result<()> {
    let limine = match limine {
        Some(folder) => folder.to_path_buf(),
        None => std::env::var_os("LIMINE_DIR")
            .map_or_else(|| PathBuf::from("/usr/share/limine"), PathBuf::from),
    };
    let folder = paths::target()?;
    let tree = tempfile::tempdir_in(&folder).at(&folder)?;
    for (name, place) in FILES {
        let from = limine.join(name);
        if !from.exists() {
            return Err(Error::Usage(format!(
                "{} is missing: set LIMINE_DIR to the folder of a Limine binary release",
                from.display()
            )));
        }
        copy(&from, &tree.path().join(place))?;
    }
    copy(kernel, &tree.path().join("boot/nos"))?;
    copy(initrd, &tree.path().join("boot/initrd"))?;
    let configuration = tree.path().join("boot/limine/limine.conf");
    fs::write(&configuration, configuration_text(command_line)).at(&configuration)?;

    let mut xorriso = Command::new("xorriso");
    xorriso
        .args(["-as", "mkisofs", "-R", "-r", "-J"])
        .args(["-b", "boot/limine/limine-bios-cd.bin", "-no-emul-boot", "-boot-load-size", "4"])
        .args(["-boot-info-table", "-hfsplus", "-apm-block-size", "2048"])
        .args(["--efi-boot", "boot/limine/limine-uefi-cd.bin", "-efi-boot-part"])
        .args(["--efi-boot-image", "--protective-msdos-label", "-o"])
        .arg(to)
        .arg(tree.path());
    process::run_quietly(&mut xorriso)?;
    // Only a disk or USB stick needs this step; a CD boots without it.
    let installer = limine.join("limine");
    if installer.exists() {
        process::run_quietly(Command::new(installer).arg("bios-install").arg(to))?;
    }
    Ok(())
}

fn configuration_text(command_line: &str) -> String {
    format!(
        "timeout: 0\nserial: yes\n\n/NOS\n    protocol: limine\n    kernel_path: boot():/boot/nos\n    \
         cmdline: {command_line}\n    module_path: boot():/boot/initrd\n"
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).at(folder)?;
    }
    fs::copy(from, to).at(to).map(drop)
}
