//! Every interleaving of one reader with a writer.

use crate::{Domain, Reserve, new};
use loom::{cell::UnsafeCell, sync::Mutex, thread};
use std::{any::Any, sync::Arc};

loom::lazy_static! {
    static ref GARBAGE: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());
}

/// Keeps garbage until the model run ends: the longest grace period there is.
struct Kept;
// SAFETY: nothing is dropped while a guard can exist.
unsafe impl Domain for Kept {
    type Guard = ();
    fn defer<T: Send + 'static>(garbage: T) {
        GARBAGE.lock().unwrap().push(Box::new(garbage));
    }
}

/// loom reports a reader that sees the value before it was written.
struct Value(UnsafeCell<u32>);
// SAFETY: written before it is published, only read afterwards.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    fn new(value: u32) -> Arc<Value> {
        let cell = UnsafeCell::new(0);
        // SAFETY: not yet shared.
        cell.with_mut(|slot| unsafe { *slot = value });
        Arc::new(Value(cell))
    }
    fn get(&self) -> u32 {
        // SAFETY: never written after publication.
        self.0.with(|slot| unsafe { *slot })
    }
}

#[test]
fn a_reader_sees_nothing_or_a_whole_value() {
    loom::model(|| {
        let (table, mut writer) = new::<Value, Kept>();
        let reader = thread::spawn(move || {
            for _ in 0..2 {
                if let Some(value) = table.get(5, &()) {
                    assert!([1, 2].contains(&value.get()));
                }
            }
        });
        assert_eq!(writer.reserve(Reserve { min: 5, max: 6 }), Some(5));
        writer.set(5, Some(Value::new(1)));
        writer.set(5, Some(Value::new(2)));
        writer.release(5);
        reader.join().unwrap();
    });
}
