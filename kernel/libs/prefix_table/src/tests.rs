//! The table against a plain list that is searched from end to end.

use super::{Prefix, PrefixTable};
use proptest::prelude::*;

/// Few bits vary, so that prefixes often contain one another.
fn address() -> impl Strategy<Value = u32> {
    (0_u32..4, 0_u32..4, 0_u32..4).prop_map(|(a, b, c)| a << 30 | b << 15 | c)
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (address(), 0_u8..=32).prop_map(|(address, length)| Prefix::of(address, length))
}

#[derive(Clone, Debug)]
enum Step {
    Add(Prefix, u8),
    Clear(Prefix),
    Drop(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prefix(), 0_u8..8).prop_map(|(prefix, value)| Step::Add(prefix, value)),
        1 => prefix().prop_map(Step::Clear),
        1 => (0_u8..8).prop_map(Step::Drop),
    ]
}

fn apply(table: &mut PrefixTable<u8>, list: &mut Vec<(Prefix, u8)>, step: &Step) {
    match *step {
        Step::Add(prefix, value) => {
            table.update(prefix, |values| values.push(value));
            list.push((prefix, value));
        }
        Step::Clear(prefix) => {
            table.update(prefix, Vec::clear);
            list.retain(|(other, _)| *other != prefix);
        }
        Step::Drop(value) => {
            table.retain(|other| *other != value);
            list.retain(|(_, other)| *other != value);
        }
    }
}

fn listed(list: &[(Prefix, u8)], prefix: Prefix) -> Vec<u8> {
    list.iter().filter(|(other, _)| *other == prefix).map(|(_, value)| *value).collect()
}

proptest! {
    #[test]
    fn finds_what_a_list_finds(steps in prop::collection::vec(step(), 0..40), probe in address()) {
        let (mut table, mut list) = (PrefixTable::default(), Vec::new());
        for step in &steps {
            apply(&mut table, &mut list, step);
        }
        let found: Vec<Vec<u8>> = table.matches(probe).map(<[u8]>::to_vec).collect();
        let wanted: Vec<Vec<u8>> = (0..=32)
            .rev()
            .map(|length| listed(&list, Prefix::of(probe, length)))
            .filter(|values| !values.is_empty())
            .collect();
        prop_assert_eq!(found, wanted);
        for (prefix, _) in &list {
            prop_assert_eq!(table.get(*prefix), &listed(&list, *prefix)[..]);
        }
    }

    #[test]
    fn lists_each_prefix_once_in_order(steps in prop::collection::vec(step(), 0..40)) {
        let (mut table, mut list) = (PrefixTable::default(), Vec::new());
        for step in &steps {
            apply(&mut table, &mut list, step);
        }
        let keys: Vec<_> = table.iter().map(|(p, _)| (p.network(), 32 - p.length())).collect();
        prop_assert!(keys.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(table.iter().map(|(_, values)| values.len()).sum::<usize>(), list.len());
    }

    #[test]
    fn a_copy_keeps_what_it_had(steps in prop::collection::vec(step(), 1..40), more in step()) {
        let (mut table, mut list) = (PrefixTable::default(), Vec::new());
        for step in &steps {
            apply(&mut table, &mut list, step);
        }
        let copy = table.clone();
        let before: Vec<_> = table.iter().map(|(p, values)| (p, values.to_vec())).collect();
        apply(&mut table, &mut list, &more);
        let after: Vec<_> = copy.iter().map(|(p, values)| (p, values.to_vec())).collect();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_prefix_contains_what_lies_between_its_ends(prefix in prefix(), probe in address()) {
        let between = (prefix.network()..=prefix.last()).contains(&probe);
        prop_assert_eq!(prefix.contains(probe), between);
    }
}

#[test]
fn bits_after_the_length_are_refused() {
    assert_eq!(Prefix::exact(0x0a00_0001, 24), None);
    assert_eq!(Prefix::exact(0, 33), None);
    assert_eq!(Prefix::exact(0x0a00_0000, 8), Some(Prefix::of(0x0a01_0203, 8)));
}
