//! `/sys/kernel/mm/transparent_hugepage`: the settings of huge pages, and what `khugepaged` has done.

use super::Dir;
use crate::mm::{huge, khugepaged};
use abi::{Errno, Result};
use alloc::format;

pub(super) fn build(dir: &Dir<'_>) {
    dir.setting(
        "enabled",
        || huge::ENABLED.show(),
        |text| {
            huge::ENABLED.set(text)?;
            khugepaged::poke();
            Ok(())
        },
    );
    dir.setting("defrag", || huge::DEFRAG.show(), |text| huge::DEFRAG.set(text));
    dir.setting("shmem_enabled", || huge::SHARED.show(), huge::set_shared);
    dir.setting(
        "use_zero_page",
        || format!("{}", u8::from(huge::uses_zero_page())),
        |text| {
            huge::set_use_zero_page(match number(text)? {
                0 => false,
                1 => true,
                _ => return Err(Errno::EINVAL),
            });
            Ok(())
        },
    );
    dir.line("hpage_pmd_size", || format!("{}", huge::HUGE_SIZE));
    let dir = dir.dir("khugepaged");
    for (name, setting) in &khugepaged::SETTINGS {
        dir.setting(
            name,
            move || format!("{}", setting.get()),
            move |text| setting.set(number(text)?),
        );
    }
    dir.line("full_scans", || format!("{}", khugepaged::full_scans()));
    dir.line("pages_collapsed", || format!("{}", khugepaged::pages_collapsed()));
}

/// A decimal number, which may end in a line feed; `EINVAL`.
fn number(text: &[u8]) -> Result<u32> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    text.strip_suffix('\n').unwrap_or(text).parse().map_err(|_| Errno::EINVAL)
}
