//! KVM or TCG, and the CPU model that goes with it.

use std::fs;

use super::Options;

/// What executes the guest's instructions.
#[derive(Clone, Copy)]
pub(super) enum Accelerator {
    Kvm,
    Tcg,
}

impl Accelerator {
    /// KVM where the processor and `/dev/kvm` can do it; the file alone proves nothing.
    pub(super) fn choose() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let has_flag = processor
            .lines()
            .filter(|line| line.starts_with("flags"))
            .flat_map(str::split_whitespace)
            .any(|flag| flag == "vmx" || flag == "svm");
        let usable = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
        if has_flag && usable { Self::Kvm } else { Self::Tcg }
    }

    /// A sentence for the person at the keyboard.
    pub(super) fn describe(self, options: &Options) -> &'static str {
        match self {
            Self::Kvm if !options.icount => "running with KVM",
            Self::Kvm => "running with TCG, as --icount needs",
            Self::Tcg => "running with TCG: the processor or /dev/kvm offers no KVM here",
        }
    }

    /// QEMU's word for it.
    pub(super) fn argument(self, options: &Options) -> &'static str {
        match self {
            Self::Kvm if !options.icount => "kvm",
            _ if options.icount || options.smp == 1 => "tcg",
            _ => "tcg,thread=multi",
        }
    }

    /// Under TCG without fast string instructions, which are slow there and which Linux would use, and without
    /// `cmpxchg16b`: QEMU 7.2 loses the flags after it on a single CPU, and Linux 6.12 crashes within seconds.
    pub(super) fn cpu(self, options: &Options) -> String {
        match (&options.cpu, self) {
            (Some(model), _) => model.clone(),
            (None, Self::Kvm) if !options.icount => "host".into(),
            (None, _) if options.icount => "max,-erms,-fsrm,-cx16,-rdrand,-rdseed".into(),
            (None, _) => "max,-erms,-fsrm,-cx16".into(),
        }
    }
}
