//! The words that a new program finds above its stack pointer: argument count, argument and environment pointers, auxiliary
//! vector (System V ABI, x86-64 supplement, 3.4.1).

use alloc::vec::Vec;

/// Bytes to which the initial stack pointer is aligned.
const ALIGN: u64 = 16;

/// The words and where they go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// The initial stack pointer: where the first word lies.
    pub pointer: u64,
    /// The words.
    pub words: Vec<u64>,
}

/// Lays out the table below `top`. `None` when it does not fit below it.
pub fn table(
    top: u64,
    arguments: impl ExactSizeIterator<Item = u64>,
    environment: impl ExactSizeIterator<Item = u64>,
    auxiliary: &[(u64, u64)],
) -> Option<Table> {
    let count = 1 + arguments.len() + 1 + environment.len() + 1 + 2 * (auxiliary.len() + 1);
    let bytes = u64::try_from(count).ok()?.checked_mul(8)?;
    let pointer = top.checked_sub(bytes)? & !(ALIGN - 1);
    let mut words = Vec::new();
    words.try_reserve_exact(count).ok()?;
    words.push(arguments.len() as u64);
    words.extend(arguments);
    words.push(0);
    words.extend(environment);
    words.push(0);
    words.extend(auxiliary.iter().flat_map(|&(key, value)| [key, value]));
    words.extend([0, 0]);
    Some(Table { pointer, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_the_order_of_the_abi_and_the_pointer_is_aligned() {
        let table = table(0x7000, [1, 2].into_iter(), [3].into_iter(), &[(6, 4096)]).unwrap();
        assert_eq!(table.words, [2, 1, 2, 0, 3, 0, 6, 4096, 0, 0]);
        assert_eq!(table.pointer % 16, 0);
        assert!(table.pointer + 8 * table.words.len() as u64 <= 0x7000);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(table(16, [1].into_iter(), [].into_iter(), &[]), None);
    }
}
