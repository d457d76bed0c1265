//! Behaviour of the table against a model, with a domain that frees at once (no readers run here).
#![cfg(not(loom))]

use pid_table::{Domain, LIMIT, Reserve, new};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

struct Now;
// SAFETY: guards are `()` and no test keeps a reference across a write.
unsafe impl Domain for Now {
    type Guard = ();
    fn defer<T: Send + 'static>(garbage: T) {
        drop(garbage);
    }
}

const ALL: Reserve = Reserve { min: 300, max: LIMIT };

#[test]
fn ids_are_handed_out_in_cyclic_order() {
    let (_, mut writer) = new::<u32, Now>();
    let range = Reserve { min: 2, max: 6 };
    let ids: Vec<_> = std::iter::from_fn(|| writer.reserve(range)).collect();
    assert_eq!(ids, [2, 3, 4, 5]);
    writer.release(3);
    assert_eq!(writer.reserve(range), Some(3));
    writer.release(2);
    writer.release(5);
    assert_eq!(writer.reserve(range), Some(5));
    assert_eq!(writer.reserve(range), Some(2));
    assert_eq!(writer.reserve(range), None);
}

#[test]
fn a_whole_branch_in_use_is_skipped() {
    let (table, mut writer) = new::<u32, Now>();
    for want in 1..40_000 {
        assert_eq!(writer.reserve(Reserve { min: 0, max: LIMIT }), Some(want));
    }
    assert!(table.next(0, &()).is_none(), "reserved ids are not visible");
    writer.release(17_000);
    assert!(writer.reserve_exact(17_000));
    assert!(!writer.reserve_exact(17_000));
    assert!(!writer.reserve_exact(LIMIT));
}

#[test]
fn every_value_is_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let (table, mut writer) = new::<Counted, Now>();
    for _ in 0..500 {
        let id = writer.reserve(ALL).unwrap();
        writer.set(id, Some(Arc::new(Counted(Arc::clone(&drops)))));
    }
    writer.set(301, Some(Arc::new(Counted(Arc::clone(&drops)))));
    assert_eq!(drops.load(SeqCst), 1);
    writer.release(300);
    assert_eq!(drops.load(SeqCst), 2);
    drop((table, writer));
    assert_eq!(drops.load(SeqCst), 501);
}

#[derive(Clone, Debug)]
enum Step {
    Reserve,
    Exact(u32),
    Set(u32, u64),
    Release(u32),
    Next(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Ids near node borders, so that nodes come and go.
    let id = prop_oneof![0u32..40, 120u32..140, 16_370u32..16_400, Just(LIMIT - 1), Just(LIMIT)];
    let step = prop_oneof![
        Just(Step::Reserve),
        id.clone().prop_map(Step::Exact),
        (id.clone(), any::<u64>()).prop_map(|(id, value)| Step::Set(id, value)),
        id.clone().prop_map(Step::Release),
        id.prop_map(Step::Next),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn the_table_does_what_a_map_does(steps in steps()) {
        let (table, mut writer) = new::<u64, Now>();
        let mut model: BTreeMap<u32, Option<u64>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Reserve => {
                    let id = writer.reserve(Reserve { min: 1, max: LIMIT }).unwrap();
                    prop_assert!(model.insert(id, None).is_none());
                }
                Step::Exact(id) => {
                    let free = id < LIMIT && !model.contains_key(&id);
                    prop_assert_eq!(writer.reserve_exact(id), free);
                    if free {
                        model.insert(id, None);
                    }
                }
                Step::Set(id, value) => {
                    if let Some(slot) = model.get_mut(&id) {
                        *slot = Some(value);
                        writer.set(id, Some(Arc::new(value)));
                    }
                }
                Step::Release(id) => {
                    if model.remove(&id).is_some() {
                        writer.release(id);
                    }
                }
                Step::Next(from) => {
                    let want = model.range(from..).find_map(|(&id, value)| Some((id, (*value)?)));
                    prop_assert_eq!(table.next(from, &()).map(|(id, value)| (id, *value)), want);
                }
            }
            for (&id, value) in &model {
                prop_assert_eq!(table.get(id, &()).copied(), *value);
            }
        }
    }
}
