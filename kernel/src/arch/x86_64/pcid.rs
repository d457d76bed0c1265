//! Process-context identifiers (PCIDs): translations are tagged with a number that is loaded along with the tables, so a CPU need not forget those of
//! one address space to use another's. Who gets which number is for `mm` to say (crate `asid`); 0 is the kernel's own tables'.
//!
//! Turned on at boot, before the first program, or never. Without it the places that ask are one instruction that does nothing.
//!
//! `invlpg` and a reload of CR3 forget what has the current number; `invlpg` forgets global pages, too, and all that the CPU remembers of upper tables under the
//! current number. The kernel's own pages are global, and its tables are never taken away, so what other numbers remember of those stays right.

use core::arch::{asm, x86_64::__cpuid_count};

use super::code_switch::{self, CodeSwitch, if_on};
use crate::{mm::PhysAddr, params};
use asid::{Load, Old};

static ON: CodeSwitch = CodeSwitch::new();

/// Whether translations are tagged.
#[inline(always)]
pub fn on() -> bool {
    if_on!(ON, { return true });
    false
}

/// Has them tagged, if the CPU can. On the first CPU, with the kernel's own tables loaded, before other CPUs are started.
pub fn init() {
    if params::get().no_pcid || !is_there() {
        return;
    }
    if forgets_too_little() {
        crate::pr_info!("PCID: not used, as this CPU's invlpg leaves global pages");
        return;
    }
    turn_on_here();
    code_switch::turn(&ON, true);
    crate::pr_info!("PCID: on");
}

/// Another CPU's part, with the kernel's own tables loaded.
pub(super) fn init_secondary() {
    if ON.is_on() {
        turn_on_here();
    }
}

/// CPUID has them, and pages that are global.
fn is_there() -> bool {
    let leaf = __cpuid_count(1, 0);
    leaf.ecx & 1 << 17 != 0 && leaf.edx & 1 << 13 != 0
}

/// Intel's erratum of Alder Lake, Raptor Lake and Gracemont: with PCIDs on, `invlpg` may leave global translations. New microcode heals it;
/// here they are left out altogether.
fn forgets_too_little() -> bool {
    const MODELS: [u32; 6] = [0x97, 0x9a, 0xb7, 0xba, 0xbe, 0xbf];
    let vendor = __cpuid_count(0, 0);
    let signature = __cpuid_count(1, 0).eax;
    let family = signature >> 8 & 0xf;
    let model = signature >> 4 & 0xf | signature >> 12 & 0xf0;
    vendor.ebx == u32::from_le_bytes(*b"Genu") && family == 6 && MODELS.contains(&model)
}

fn turn_on_here() {
    const PCIDE: usize = 1 << 17;
    // SAFETY: CPUID has announced the bit. The kernel's root is loaded with number 0, as the bit demands, and keeps it.
    unsafe {
        asm!(
            "mov {0}, cr4",
            "or {0}, {1}",
            "mov cr4, {0}",
            out(reg) _,
            const PCIDE as i32,
            options(nostack),
        );
    }
}

/// As [`super::paging::load_root`], where translations are tagged: only what has the same tag leaves the TLB, or not even that.
///
/// # Safety
/// As there; and what is kept is right (see `asid`).
#[inline]
pub unsafe fn load_root(root: PhysAddr, load: Load) {
    const KEEP: usize = 1 << 63;
    let keep = match load.old {
        Old::Keep => KEEP,
        Old::Forget => 0,
    };
    let value = root.0 | usize::from(load.asid) | keep;
    // SAFETY: the caller vouches for the tables. Not `nomem`: what user addresses show changes.
    unsafe { asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
}
