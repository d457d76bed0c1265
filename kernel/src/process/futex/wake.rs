//! `FUTEX_WAKE`, `FUTEX_WAKE_BITSET`, `FUTEX_REQUEUE`, `FUTEX_CMP_REQUEUE`, `FUTEX_WAKE_OP`.

use super::{
    Bitset, Key, Sharing, Word,
    bucket::{self, Bucket, Pair, WakeList},
    fault_in, fault_in_writable, pi,
};
use crate::{
    mm::{UserAddr, user},
    sched,
};
use abi::{Errno, Result};

/// How many waiters a count from user space wakes: at least one, whatever it says. (Linux looks at the count after the first.)
fn at_least_one(count: i32) -> usize {
    usize::try_from(count).unwrap_or(1).max(1)
}

/// Wakes up to `count` waiters that `bitset` reaches; how many were woken.
pub fn wake(addr: UserAddr, sharing: Sharing, count: i32, bitset: Bitset) -> Result<usize> {
    let key = Key::of(addr, sharing)?;
    let mut list = WakeList::new();
    let mut bucket = bucket::lock(bucket::index_of(&key));
    if pi::is_contended(&key) {
        return Err(Errno::EINVAL);
    }
    let woken = bucket.take(&key, bitset, at_least_one(count), &mut list);
    drop(bucket);
    if matches!(woken, Ok(0)) {
        sched::found_nothing();
    }
    bucket::wake_all(list);
    woken
}

/// The same, but no count wakes nobody.
pub fn wake_exactly(addr: UserAddr, sharing: Sharing, count: i32, bitset: Bitset) -> Result<usize> {
    if count == 0 { Key::of(addr, sharing).map(|_| 0) } else { wake(addr, sharing, count, bitset) }
}

/// The arguments of [`requeue`] beside the two words.
#[derive(Clone, Copy, Debug)]
pub struct Requeue {
    /// How many waiters are woken.
    pub wake: i32,
    /// How many more then wait on the second word.
    pub requeue: i32,
    /// What the first word must hold (`FUTEX_CMP_REQUEUE`).
    pub expected: Option<u32>,
}

/// Wakes some waiters on `from` and lets others wait on `to`; how many both together were. `EINVAL` for negative counts,
/// `EAGAIN` when the first word does not hold what is expected.
pub fn requeue(from: Word, to: Word, how: Requeue) -> Result<usize> {
    let wake = usize::try_from(how.wake).map_err(|_| Errno::EINVAL)?;
    let requeue = usize::try_from(how.requeue).map_err(|_| Errno::EINVAL)?;
    loop {
        let source = Key::of(from.addr, from.sharing)?;
        let target = Key::of(to.addr, to.sharing)?;
        let target_index = bucket::index_of(&target);
        let mut pair = Pair::lock(bucket::index_of(&source), target_index);
        if let Some(expected) = how.expected {
            match user::read::<u32>(from.addr) {
                Ok(value) if value == expected => {}
                Ok(_) => return Err(Errno::EAGAIN),
                Err(_) => {
                    drop(pair);
                    fault_in(from.addr)?;
                    continue;
                }
            }
        }
        if pi::is_contended(&source) {
            return Err(Errno::EINVAL);
        }
        let mut list = WakeList::new();
        let woken = pair.first().take(&source, Bitset::ANY, wake, &mut list);
        let moved =
            woken.map(|_| bucket::move_waiters(&mut pair, &source, target, target_index, requeue));
        // One that wants a lock stops it all.
        let stopped = moved.is_ok_and(|moved| moved < requeue)
            && source != target
            && pair.first().has_waiter(&source);
        drop(pair);
        bucket::wake_all(list);
        return if stopped { Err(Errno::EINVAL) } else { Ok(woken? + moved?) };
    }
}

/// The operation and comparison of `FUTEX_WAKE_OP`.
#[derive(Clone, Copy, Debug)]
struct OpCode {
    operation: Operation,
    operand: u32,
    comparison: Comparison,
    comparand: i32,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Set,
    Add,
    Or,
    AndNot,
    Xor,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The operand is a shift count: `FUTEX_OP_OPARG_SHIFT`.
const OPERAND_SHIFT: u32 = 8;

impl OpCode {
    /// From `val3`; `ENOSYS` for an unknown operation or comparison.
    fn decode(code: u32) -> Result<OpCode> {
        let operation_bits = code >> 28;
        let operation = match operation_bits & 7 {
            0 => Operation::Set,
            1 => Operation::Add,
            2 => Operation::Or,
            3 => Operation::AndNot,
            4 => Operation::Xor,
            _ => return Err(Errno::ENOSYS),
        };
        let comparison = match code >> 24 & 0xf {
            0 => Comparison::Equal,
            1 => Comparison::NotEqual,
            2 => Comparison::Less,
            3 => Comparison::LessOrEqual,
            4 => Comparison::Greater,
            5 => Comparison::GreaterOrEqual,
            _ => return Err(Errno::ENOSYS),
        };
        // Two 12-bit numbers with sign.
        let operand = ((code << 8).cast_signed() >> 20).cast_unsigned();
        let comparand = (code << 20).cast_signed() >> 20;
        let operand =
            if operation_bits & OPERAND_SHIFT != 0 { 1 << (operand & 31) } else { operand };
        Ok(OpCode { operation, operand, comparison, comparand })
    }

    fn apply(&self, value: u32) -> u32 {
        match self.operation {
            Operation::Set => self.operand,
            Operation::Add => value.wrapping_add(self.operand),
            Operation::Or => value | self.operand,
            Operation::AndNot => value & !self.operand,
            Operation::Xor => value ^ self.operand,
        }
    }

    fn holds(&self, value: u32) -> bool {
        let value = value.cast_signed();
        match self.comparison {
            Comparison::Equal => value == self.comparand,
            Comparison::NotEqual => value != self.comparand,
            Comparison::Less => value < self.comparand,
            Comparison::LessOrEqual => value <= self.comparand,
            Comparison::Greater => value > self.comparand,
            Comparison::GreaterOrEqual => value >= self.comparand,
        }
    }

    /// Changes the word; what it held.
    fn run(&self, addr: UserAddr) -> Result<u32> {
        let mut old = user::read::<u32>(addr)?;
        loop {
            let seen = user::cmpxchg_u32(addr, old, self.apply(old))?;
            if seen == old {
                return Ok(old);
            }
            old = seen;
        }
    }
}

/// Changes the second word by `op`, wakes up to `count` waiters on the first, and up to `count2` on the second if what it held
/// compares; how many were woken. (`FUTEX_WAKE_OP`)
pub fn wake_op(
    first: UserAddr,
    second: UserAddr,
    sharing: Sharing,
    counts: (i32, i32),
    op: u32,
) -> Result<usize> {
    loop {
        let (key1, key2) = (Key::of(first, sharing)?, Key::of(second, sharing)?);
        let op = OpCode::decode(op)?;
        let mut pair = Pair::lock(bucket::index_of(&key1), bucket::index_of(&key2));
        let Ok(old) = op.run(second) else {
            drop(pair);
            fault_in_writable(second)?;
            continue;
        };
        let mut list = WakeList::new();
        let inherits = pi::is_contended(&key1) || op.holds(old) && pi::is_contended(&key2);
        let mut take = |bucket: &mut Bucket, key, count| {
            bucket.take(key, Bitset::ANY, at_least_one(count), &mut list)
        };
        let woken = (|| {
            let mut woken = take(pair.first(), &key1, counts.0)?;
            if op.holds(old) {
                woken += take(pair.second(), &key2, counts.1)?;
            }
            Ok(woken)
        })();
        drop(pair);
        bucket::wake_all(list);
        return if inherits { Err(Errno::EINVAL) } else { woken };
    }
}
