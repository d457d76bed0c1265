//! Tasks in the order of their deadlines: a binary heap whose entries know their places, so that any of them can be taken out in O(log n).
//! Its room is made beforehand ([`DeadlineHeap::grow`]): queueing allocates nothing.

use crate::Entity;
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A task's deadline, and where it is in the heap.
#[derive(Default)]
pub struct DeadlineState {
    deadline: AtomicU64,
    place: AtomicUsize,
}

impl DeadlineState {
    /// No deadline yet.
    pub const fn new() -> Self {
        Self { deadline: AtomicU64::new(0), place: AtomicUsize::new(0) }
    }
    /// The deadline.
    pub fn deadline(&self) -> u64 {
        self.deadline.load(Relaxed)
    }
    /// Changes it. The task is not queued.
    pub fn set_deadline(&self, deadline: u64) {
        self.deadline.store(deadline, Relaxed);
    }
}

/// The heap: each entry's deadline is no later than those of the two at twice its place, plus one and two.
pub struct DeadlineHeap<T> {
    tasks: Vec<Arc<T>>,
}

impl<T: Entity> DeadlineHeap<T> {
    /// An empty heap without room.
    pub const fn new() -> Self {
        Self { tasks: Vec::new() }
    }
    /// How many tasks are queued.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }
    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
    /// All tasks, the first in front, the rest in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.tasks.iter().map(|task| &**task)
    }
    /// Takes over an empty vector with more room than there is now; returns the one to be freed.
    pub fn grow(&mut self, mut room: Vec<Arc<T>>) -> Vec<Arc<T>> {
        if room.capacity() > self.tasks.capacity() {
            room.append(&mut self.tasks);
            core::mem::swap(&mut room, &mut self.tasks);
        }
        room
    }
    /// Queues a task. There is room.
    pub fn insert(&mut self, task: Arc<T>) {
        debug_assert!(self.tasks.len() < self.tasks.capacity(), "no room was made");
        let place = self.tasks.len();
        task.deadline().place.store(place, Relaxed);
        self.tasks.push(task);
        self.rise(place);
    }
    /// Takes the task with the earliest deadline.
    pub fn pop(&mut self) -> Option<Arc<T>> {
        (!self.is_empty()).then(|| self.take(0))
    }
    /// Takes a task out, wherever it is.
    pub fn remove(&mut self, task: &T) -> Option<Arc<T>> {
        self.contains(task).then(|| self.take(task.deadline().place.load(Relaxed)))
    }
    /// Takes the task that [`DeadlineHeap::iter`] told in this place.
    pub fn take_nth(&mut self, place: usize) -> Option<Arc<T>> {
        (place < self.len()).then(|| self.take(place))
    }
    /// Whether the task is queued here.
    pub fn contains(&self, task: &T) -> bool {
        let place = task.deadline().place.load(Relaxed);
        self.tasks.get(place).is_some_and(|there| core::ptr::eq(&**there, task))
    }

    fn take(&mut self, place: usize) -> Arc<T> {
        let task = self.tasks.swap_remove(place);
        if place < self.tasks.len() {
            self.note_place(place);
            let place = self.rise(place);
            self.sink(place);
        }
        task
    }
    fn at(&self, place: usize) -> Option<u64> {
        self.tasks.get(place).map(|task| task.deadline().deadline())
    }
    fn note_place(&self, place: usize) {
        self.tasks[place].deadline().place.store(place, Relaxed);
    }
    fn swap(&mut self, one: usize, other: usize) {
        self.tasks.swap(one, other);
        self.note_place(one);
        self.note_place(other);
    }
    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.at(parent) <= self.at(place) {
                break;
            }
            self.swap(parent, place);
            place = parent;
        }
        place
    }
    fn sink(&mut self, mut place: usize) {
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let earliest = children
                .into_iter()
                .filter_map(|child| self.at(child).map(|deadline| (deadline, child)))
                .min();
            match earliest {
                Some((deadline, child)) if Some(deadline) < self.at(place) => {
                    self.swap(child, place);
                    place = child;
                }
                _ => return,
            }
        }
    }
}

impl<T: Entity> Default for DeadlineHeap<T> {
    fn default() -> Self {
        Self::new()
    }
}
