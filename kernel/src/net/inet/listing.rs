//! Going through a table that is read under RCU, for those who may sleep with what they find.

use crate::sync::{KernelRcu, rcu};
use abi::{Errno, Result};
use alloc::vec::Vec;
use rcu_collections::RcuHash;

/// Room for the values of one bucket, to begin with.
const FEW: usize = 8;

/// Calls `show` with every value; what is added or moved meanwhile may be missed. Nothing is held then: `show` may sleep. `ENOMEM`.
pub fn for_each<T: Clone + Send + Sync + 'static>(
    table: &RcuHash<T, KernelRcu>,
    mut show: impl FnMut(T),
) -> Result<()> {
    let mut found = Vec::new();
    let mut room = FEW;
    for bucket in 0..table.buckets() {
        loop {
            // Not in the read-side section, which must not wait for memory.
            found.try_reserve(room).map_err(|_| Errno::ENOMEM)?;
            if take_bucket(table, bucket, &mut found) {
                break;
            }
            found.clear();
            room *= 2;
        }
        found.drain(..).for_each(&mut show);
    }
    Ok(())
}

/// Takes a copy of a bucket's values; whether there was room for all.
fn take_bucket<T: Clone + Send + Sync + 'static>(
    table: &RcuHash<T, KernelRcu>,
    bucket: usize,
    found: &mut Vec<T>,
) -> bool {
    let mut is_room = true;
    table.visit_bucket(&rcu::read(), bucket, |value| {
        is_room &= found.len() < found.capacity();
        if is_room {
            found.push(value.clone());
        }
    });
    is_room
}
