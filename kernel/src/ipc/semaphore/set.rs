//! A semaphore set, and doing operations on it.
//!
//! Who waits is in queues by order of arrival (tickets): operations on one semaphore in a queue of that semaphore, apart by whether they
//! take or wait for zero, so that a change looks only at those it can concern; calls with several operations in two queues of
//! the set. After a change, whoever waits for zero is looked at first, then all others in order of arrival, as on Linux.

use super::undo::UndoKey;
use crate::{
    ipc::{
        Permissions,
        ids::{Id, Key, Object},
        waiter::{Waiter, WakeList},
    },
    mm::try_alloc,
    process::Pid,
    sync::{SpinLock, class},
};
use abi::{
    Errno, Result,
    sysv::{IPC_NOWAIT, SEM_UNDO, Sembuf},
};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use smallvec::SmallVec;

/// The highest value of a semaphore (`SEMVMX`).
pub const MAX_VALUE: i32 = 32767;
/// The largest adjustment at exit (`SEMAEM`); the smallest is one below its negative.
const MAX_ADJUSTMENT: i32 = MAX_VALUE;

/// A semaphore set.
pub struct SemaphoreSet {
    id: Id,
    key: Key,
    count: usize,
    pub(super) state: SpinLock<State>,
}

/// What the set's lock protects.
pub(super) struct State {
    pub permissions: Permissions,
    /// `IPC_RMID` came.
    pub removed: bool,
    pub semaphores: Box<[Semaphore]>,
    /// What is taken back when the users of an undo list are gone: an adjustment for each semaphore.
    pub adjustments: BTreeMap<UndoKey, Box<[i16]>>,
    /// Seconds since 1970 of the last operation and the last change; 0: never.
    pub operated: i64,
    pub changed: i64,
    /// Calls with several operations, some of which change a semaphore.
    several: Queue,
    /// Calls with several operations that all wait for zero.
    several_zero: Queue,
    next_ticket: u64,
    /// Calls in all queues: where there are none, a change concerns nobody.
    queued: usize,
}

type Queue = BTreeMap<u64, Arc<Request>>;

/// One semaphore.
#[derive(Default)]
pub(super) struct Semaphore {
    pub value: i32,
    /// The process that last operated on it.
    pub pid: u32,
    takers: Queue,
    zero: Queue,
}

/// A call that waits.
pub(super) struct Request {
    operations: Operations,
    undo: Option<UndoKey>,
    pid: Pid,
    ticket: u64,
    /// The operation that it waits for; changes under the set's lock.
    blocked_at: AtomicUsize,
    pub waiter: Waiter<Result<()>>,
}

/// The operations of a call.
pub type Operations = SmallVec<[Sembuf; 4]>;
/// Semaphores whose values have changed.
pub(super) type Changed = SmallVec<[u16; 4]>;

/// What an attempt came to.
pub(super) enum Attempt {
    /// All operations are done.
    Done,
    /// None is; the operation with this index cannot be done yet.
    Blocked(usize),
    /// None is, and none will be.
    Failed(Errno),
}

/// Who is making an attempt.
#[derive(Clone, Copy)]
pub(super) struct Actor {
    pub pid: Pid,
    pub undo: Option<UndoKey>,
}

/// The semaphores that the operations change.
pub(super) fn changed_by(operations: &[Sembuf]) -> Changed {
    let changes = operations.iter().filter(|operation| operation.sem_op != 0);
    changes.map(|operation| operation.sem_num).collect()
}

/// Whether the operations change semaphores.
pub(super) fn alters(operations: &[Sembuf]) -> bool {
    operations.iter().any(|operation| operation.sem_op != 0)
}

impl Object for SemaphoreSet {
    fn id(&self) -> Id {
        self.id
    }
    fn permissions(&self) -> Permissions {
        self.state.lock().permissions
    }
}

impl SemaphoreSet {
    /// A set whose semaphores (see [`new_semaphores`]) are all zero.
    pub(super) fn new(
        id: Id,
        key: Key,
        permissions: Permissions,
        semaphores: Box<[Semaphore]>,
    ) -> SemaphoreSet {
        SemaphoreSet {
            id,
            key,
            count: semaphores.len(),
            state: SpinLock::new(
                &class::IPC_OBJECT,
                State {
                    permissions,
                    removed: false,
                    semaphores,
                    adjustments: BTreeMap::new(),
                    operated: 0,
                    changed: crate::ipc::now(),
                    several: Queue::new(),
                    several_zero: Queue::new(),
                    next_ticket: 1,
                    queued: 0,
                },
            ),
        }
    }
    /// The key that it was made with.
    pub fn key(&self) -> Key {
        self.key
    }
    /// How many semaphores it has.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Semaphores for a new set; `ENOMEM`.
pub(super) fn new_semaphores(count: usize) -> Result<Box<[Semaphore]>> {
    let mut semaphores: Vec<Semaphore> = try_alloc::vec_with_capacity(count)?;
    semaphores.resize_with(count, Semaphore::default);
    Ok(semaphores.into_boxed_slice())
}

impl State {
    /// Does all operations, or none. Their semaphores exist.
    pub fn attempt(&mut self, operations: &[Sembuf], actor: Actor) -> Attempt {
        let State { semaphores, adjustments, .. } = self;
        let mut adjustments = actor.undo.and_then(|key| adjustments.get_mut(&key));
        for (at, operation) in operations.iter().enumerate() {
            let number = usize::from(operation.sem_num);
            let change = i32::from(operation.sem_op);
            let adjustment = match &mut adjustments {
                Some(all) if operation.sem_flg & SEM_UNDO != 0 => Some(&mut all[number]),
                _ => None,
            };
            let stop = match step(&mut semaphores[number].value, change, adjustment) {
                Step::Done => continue,
                Step::Blocked => Attempt::Blocked(at),
                Step::OutOfRange => Attempt::Failed(Errno::ERANGE),
            };
            for done in &operations[..at] {
                let number = usize::from(done.sem_num);
                semaphores[number].value -= i32::from(done.sem_op);
                if let Some(all) = &mut adjustments
                    && done.sem_flg & SEM_UNDO != 0
                {
                    all[number] += done.sem_op;
                }
            }
            return match stop {
                Attempt::Blocked(_) if u32::from(operation.sem_flg) & IPC_NOWAIT != 0 => {
                    Attempt::Failed(Errno::EAGAIN)
                }
                stop => stop,
            };
        }
        for operation in operations {
            semaphores[usize::from(operation.sem_num)].pid = actor.pid.0;
        }
        Attempt::Done
    }

    /// Queues a call that cannot be done yet.
    pub fn enqueue(&mut self, operations: Operations, actor: Actor, at: usize) -> Arc<Request> {
        let request = Arc::new(Request {
            operations,
            undo: actor.undo,
            pid: actor.pid,
            ticket: self.next_ticket,
            blocked_at: AtomicUsize::new(at),
            waiter: Waiter::new(),
        });
        self.next_ticket += 1;
        self.queued += 1;
        self.queue_of(&request).insert(request.ticket, Arc::clone(&request));
        request
    }

    /// Takes a call out of its queue.
    pub fn dequeue(&mut self, request: &Request) {
        if self.queue_of(request).remove(&request.ticket).is_some() {
            self.queued -= 1;
        }
    }

    /// Whether nobody waits.
    pub fn is_quiet(&self) -> bool {
        self.queued == 0
    }

    fn queue_of(&mut self, request: &Request) -> &mut Queue {
        match (request.operations.as_slice(), alters(&request.operations)) {
            ([one], true) => &mut self.semaphores[usize::from(one.sem_num)].takers,
            ([one], false) => &mut self.semaphores[usize::from(one.sem_num)].zero,
            (_, true) => &mut self.several,
            (_, false) => &mut self.several_zero,
        }
    }

    /// After all semaphores may have changed: see [`State::settle`].
    pub fn settle_all(&mut self, wakes: &mut WakeList) -> bool {
        if self.is_quiet() {
            return false;
        }
        let waited_for =
            |semaphore: &Semaphore| !semaphore.takers.is_empty() || !semaphore.zero.is_empty();
        let numbers = (0u16..).zip(&self.semaphores);
        let changed: Changed = numbers
            .filter(|(_, semaphore)| waited_for(semaphore))
            .map(|(number, _)| number)
            .collect();
        self.settle(changed, wakes)
    }

    /// After these semaphores have changed: does what has become possible for those who wait; whether that was anything.
    pub fn settle(&mut self, mut changed: Changed, wakes: &mut WakeList) -> bool {
        let mut any = false;
        let mut tried = 0;
        loop {
            any |= self.complete_zero(&changed, wakes);
            if self.is_quiet() {
                return any;
            }
            let Some(request) = self.next_taker(&changed, tried) else { return any };
            tried = request.ticket;
            if !self.complete(&request, wakes) {
                continue;
            }
            any = true;
            // What was given, or the zero that was reached, may be what somebody tried before waits for. Who only takes from
            // one semaphore waits for neither.
            let gives = request.operations.iter().any(|operation| operation.sem_op > 0);
            if gives || !self.several.is_empty() {
                tried = 0;
            }
            if request.operations.len() > 1 {
                changed.extend(changed_by(&request.operations));
                changed.sort_unstable();
                changed.dedup();
            }
        }
    }

    /// Those who wait for zero, where it has come.
    fn complete_zero(&mut self, changed: &Changed, wakes: &mut WakeList) -> bool {
        let mut any = false;
        for &number in changed {
            let semaphore = &mut self.semaphores[usize::from(number)];
            if semaphore.value != 0 {
                continue;
            }
            while let Some((_, request)) = semaphore.zero.pop_first() {
                self.queued -= 1;
                semaphore.pid = request.pid.0;
                request.waiter.decide(Ok(()), wakes);
                any = true;
            }
        }
        if !self.several_zero.is_empty() {
            let waiting: Vec<Arc<Request>> = self.several_zero.values().cloned().collect();
            for request in waiting {
                any |= self.complete(&request, wakes);
            }
        }
        any
    }

    /// The first to arrive after `tried` among those whom a change of `changed` can concern.
    fn next_taker(&self, changed: &Changed, tried: u64) -> Option<Arc<Request>> {
        let simple = changed.iter().filter_map(|&number| {
            let semaphore = &self.semaphores[usize::from(number)];
            // Who takes from one semaphore gets nothing from an empty one.
            if semaphore.value > 0 { first_after(&semaphore.takers, tried) } else { None }
        });
        let first = simple.chain(first_after(&self.several, tried));
        first.min_by_key(|(ticket, _)| **ticket).map(|(_, request)| Arc::clone(request))
    }

    /// Does a waiting call's operations if they can be done, or fails it; whether they were done.
    fn complete(&mut self, request: &Arc<Request>, wakes: &mut WakeList) -> bool {
        let actor = Actor { pid: request.pid, undo: request.undo };
        let outcome = match self.attempt(&request.operations, actor) {
            Attempt::Done => Ok(()),
            Attempt::Failed(errno) => Err(errno),
            Attempt::Blocked(at) => {
                request.blocked_at.store(at, Relaxed);
                return false;
            }
        };
        self.dequeue(request);
        request.waiter.decide(outcome, wakes);
        outcome.is_ok()
    }

    /// How many wait for `number` to grow, or to become zero (`GETNCNT`, `GETZCNT`).
    pub fn waiting(&self, number: usize, zero: bool) -> usize {
        let semaphore = &self.semaphores[number];
        let simple = if zero { semaphore.zero.len() } else { semaphore.takers.len() };
        let waits_here = |request: &&Arc<Request>| {
            let operation = request.operations[request.blocked_at.load(Relaxed)];
            usize::from(operation.sem_num) == number && (operation.sem_op == 0) == zero
        };
        let several = self.several.values().chain(self.several_zero.values());
        simple + several.filter(waits_here).count()
    }

    /// The set is removed: nobody waits any longer, nothing is taken back.
    pub fn close(&mut self, wakes: &mut WakeList) {
        self.removed = true;
        self.queued = 0;
        self.adjustments.clear();
        let mut queues = alloc::vec![
            core::mem::take(&mut self.several),
            core::mem::take(&mut self.several_zero),
        ];
        for semaphore in &mut self.semaphores {
            for queue in [&mut semaphore.takers, &mut semaphore.zero] {
                if !queue.is_empty() {
                    queues.push(core::mem::take(queue));
                }
            }
        }
        for request in queues.iter().flat_map(BTreeMap::values) {
            request.waiter.decide(Err(Errno::EIDRM), wakes);
        }
    }
}

/// The first in a queue whose ticket is higher than `tried`. The front needs no search.
fn first_after(queue: &Queue, tried: u64) -> Option<(&u64, &Arc<Request>)> {
    if tried == 0 { queue.first_key_value() } else { queue.range(tried + 1..).next() }
}

/// What one operation came to.
enum Step {
    Done,
    Blocked,
    OutOfRange,
}

fn step(value: &mut i32, change: i32, adjustment: Option<&mut i16>) -> Step {
    if change == 0 {
        return if *value == 0 { Step::Done } else { Step::Blocked };
    }
    let new = *value + change;
    if new < 0 {
        return Step::Blocked;
    }
    if new > MAX_VALUE {
        return Step::OutOfRange;
    }
    if let Some(adjustment) = adjustment {
        let taken_back = i32::from(*adjustment) - change;
        if !(-MAX_ADJUSTMENT - 1..=MAX_ADJUSTMENT).contains(&taken_back) {
            return Step::OutOfRange;
        }
        // It fits: the bounds are those of the type.
        *adjustment = taken_back as i16;
    }
    *value = new;
    Step::Done
}
