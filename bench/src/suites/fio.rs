//! fio: reads and writes of files on tmpfs, by system call and through a mapping.

use super::{Case, Suite};
use crate::guest::Ran;

/// Where the terse form, version 3, has operations a second.
const READS: usize = 7;
const WRITES: usize = 48;

pub(super) fn suite() -> Suite {
    let case = |label: &str, switches: &str, read: fn(&Ran) -> Option<f64>| {
        let command = format!(
            "fio --name=job --filename=file --size=16m --thread --time_based --runtime=1 --minimal {switches}"
        );
        Case::new("fio", label, command).rate("operation", read)
    };
    let cases = vec![
        case("random reads, 4 KiB", "--rw=randread --bs=4k --ioengine=psync", reads),
        case("random writes, 4 KiB", "--rw=randwrite --bs=4k --ioengine=psync", writes),
        case("reads, 64 KiB", "--rw=read --bs=64k --ioengine=psync", reads),
        case("writes, 64 KiB", "--rw=write --bs=64k --ioengine=psync", writes),
        case("random reads, 4 KiB, mapped", "--rw=randread --bs=4k --ioengine=mmap", reads),
    ];
    Suite { name: "fio", packages: &["fio"], recipes: &[], devices: false, cases }
}

pub(super) fn reads(ran: &Ran) -> Option<f64> {
    field(ran, READS)
}

pub(super) fn writes(ran: &Ran) -> Option<f64> {
    field(ran, WRITES)
}

/// A field of the line that starts with the form's version.
fn field(ran: &Ran, index: usize) -> Option<f64> {
    let line = ran.output.lines().find(|line| line.starts_with("3;"))?;
    line.split(';').nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::End;

    #[test]
    fn operations_a_second_are_read() {
        let mut fields: Vec<String> = (0..130).map(|field| field.to_string()).collect();
        fields[0] = "3".into();
        fields[READS] = "51200".into();
        fields[WRITES] = "12800".into();
        let output = format!("fio: some note\n{}\n", fields.join(";"));
        let ran = Ran { output, end: End::Exit(0), elapsed: Duration::from_secs(1) };
        assert_eq!((reads(&ran), writes(&ran)), (Some(51200.0), Some(12800.0)));
    }
}
