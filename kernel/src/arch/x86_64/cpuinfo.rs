//! What `/proc/cpuinfo` says of a CPU, from CPUID.

use alloc::string::String;
use core::{
    arch::x86_64::{__cpuid_count, CpuidResult},
    fmt::Write,
};

use super::{clock, cpu, pcid};
use crate::params;

/// Names of the feature bits of one register, in Linux's words; `""` for bits that have none.
struct Flags {
    leaf: u32,
    subleaf: u32,
    register: fn(&CpuidResult) -> u32,
    /// Bit and name.
    names: &'static [(u8, &'static str)],
}

/// The words in Linux's order.
const FLAGS: &[Flags] = &[
    Flags {
        leaf: 1,
        subleaf: 0,
        register: |r| r.edx,
        names: &[
            (0, "fpu"),
            (1, "vme"),
            (2, "de"),
            (3, "pse"),
            (4, "tsc"),
            (5, "msr"),
            (6, "pae"),
            (7, "mce"),
            (8, "cx8"),
            (9, "apic"),
            (11, "sep"),
            (12, "mtrr"),
            (13, "pge"),
            (14, "mca"),
            (15, "cmov"),
            (16, "pat"),
            (17, "pse36"),
            (19, "clflush"),
            (23, "mmx"),
            (24, "fxsr"),
            (25, "sse"),
            (26, "sse2"),
            (27, "ss"),
            (28, "ht"),
        ],
    },
    Flags {
        leaf: 0x8000_0001,
        subleaf: 0,
        register: |r| r.edx,
        names: &[
            (11, "syscall"),
            (20, "nx"),
            (22, "mmxext"),
            (25, "fxsr_opt"),
            (26, "pdpe1gb"),
            (27, "rdtscp"),
            (29, "lm"),
            (30, "3dnowext"),
            (31, "3dnow"),
        ],
    },
    Flags {
        leaf: 1,
        subleaf: 0,
        register: |r| r.ecx,
        names: &[
            (0, "pni"),
            (1, "pclmulqdq"),
            (3, "monitor"),
            (9, "ssse3"),
            (12, "fma"),
            (13, "cx16"),
            (17, "pcid"),
            (19, "sse4_1"),
            (20, "sse4_2"),
            (21, "x2apic"),
            (22, "movbe"),
            (23, "popcnt"),
            (24, "tsc_deadline_timer"),
            (25, "aes"),
            (26, "xsave"),
            (28, "avx"),
            (29, "f16c"),
            (30, "rdrand"),
            (31, "hypervisor"),
        ],
    },
    Flags {
        leaf: 0x8000_0001,
        subleaf: 0,
        register: |r| r.ecx,
        names: &[
            (0, "lahf_lm"),
            (1, "cmp_legacy"),
            (2, "svm"),
            (4, "cr8_legacy"),
            (5, "abm"),
            (6, "sse4a"),
            (7, "misalignsse"),
            (8, "3dnowprefetch"),
        ],
    },
    Flags {
        leaf: 7,
        subleaf: 0,
        register: |r| r.ebx,
        names: &[
            (0, "fsgsbase"),
            (3, "bmi1"),
            (5, "avx2"),
            (7, "smep"),
            (8, "bmi2"),
            (9, "erms"),
            (10, "invpcid"),
            (14, "mpx"),
            (16, "avx512f"),
            (17, "avx512dq"),
            (18, "rdseed"),
            (19, "adx"),
            (20, "smap"),
            (22, "pcommit"),
            (23, "clflushopt"),
            (24, "clwb"),
            (29, "sha_ni"),
        ],
    },
    Flags {
        leaf: 0x0d,
        subleaf: 1,
        register: |r| r.eax,
        names: &[(0, "xsaveopt"), (1, "xsavec"), (2, "xgetbv1"), (3, "xsaves")],
    },
    Flags {
        leaf: 7,
        subleaf: 0,
        register: |r| r.ecx,
        names: &[
            (2, "umip"),
            (3, "pku"),
            (4, "ospke"),
            (8, "gfni"),
            (9, "vaes"),
            (10, "vpclmulqdq"),
            (16, "la57"),
            (22, "rdpid"),
        ],
    },
    Flags { leaf: 7, subleaf: 0, register: |r| r.edx, names: &[(4, "fsrm")] },
];

fn leaf(leaf: u32, subleaf: u32) -> CpuidResult {
    let highest = __cpuid_count(leaf & 0x8000_0000, 0).eax;
    if leaf > highest {
        return CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    }
    __cpuid_count(leaf, subleaf)
}

/// Registers as the text that they spell.
fn text(words: &[u32]) -> String {
    let bytes: alloc::vec::Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from(String::from_utf8_lossy(&bytes[..end]).trim())
}

fn brand() -> String {
    let words: alloc::vec::Vec<u32> = (0x8000_0002..=0x8000_0004)
        .map(|number| leaf(number, 0))
        .flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx])
        .collect();
    text(&words)
}

/// Whether a feature that the CPU may have is not used, and so not shown, as on Linux.
fn is_left_out(name: &str) -> bool {
    match name {
        "pcid" => !pcid::on(),
        "invpcid" => params::get().no_invpcid,
        _ => false,
    }
}

/// The paragraph on CPU `index`. All CPUs are taken to be like the one this runs on.
pub fn describe(index: usize, out: &mut String) {
    let vendor = leaf(0, 0);
    let signature = leaf(1, 0).eax;
    let base_family = signature >> 8 & 0xf;
    let family =
        if base_family == 0xf { base_family + (signature >> 20 & 0xff) } else { base_family };
    let low_model = signature >> 4 & 0xf;
    let model = if base_family >= 6 { low_model | (signature >> 12 & 0xf0) } else { low_model };
    let khz = clock::tsc_hz() / 1000;
    let cpus = cpu::online_count();
    let sizes = leaf(0x8000_0008, 0).eax;
    let _ = write!(
        out,
        "processor\t: {index}\nvendor_id\t: {}\ncpu family\t: {family}\nmodel\t\t: {model}\n\
         model name\t: {}\nstepping\t: {}\ncpu MHz\t\t: {}.{:03}\n",
        text(&[vendor.ebx, vendor.edx, vendor.ecx]),
        brand(),
        signature & 0xf,
        khz / 1000,
        khz % 1000,
    );
    let _ = write!(
        out,
        "physical id\t: 0\nsiblings\t: {cpus}\ncore id\t\t: {index}\ncpu cores\t: {cpus}\n\
         apicid\t\t: {index}\ninitial apicid\t: {index}\nfpu\t\t: yes\nfpu_exception\t: yes\n\
         cpuid level\t: {}\nwp\t\t: yes\nflags\t\t:",
        vendor.eax,
    );
    for Flags { leaf: number, subleaf, register, names } in FLAGS {
        let bits = register(&leaf(*number, *subleaf));
        let shown = |(bit, name): &&(u8, &str)| bits >> bit & 1 == 1 && !is_left_out(name);
        for (bit, name) in names.iter().filter(shown) {
            let _ = (bit, write!(out, " {name}"));
        }
    }
    let clflush = (leaf(1, 0).ebx >> 8 & 0xff) * 8;
    let _ = write!(
        out,
        "\nbugs\t\t:\nbogomips\t: {}.{:02}\nclflush size\t: {clflush}\ncache_alignment\t: {clflush}\n\
         address sizes\t: {} bits physical, {} bits virtual\npower management:\n\n",
        khz / 500,
        khz % 500 / 5,
        sizes & 0xff,
        sizes >> 8 & 0xff,
    );
}
