//! Descriptor tables: an array that is read under RCU, and a two-level bitmap that finds the lowest free number.
//!
//! A look-up costs nothing in shared memory when it can be *lent*: the table belongs to one thread (its owner), which is the
//! one that looks. The slot's own reference then keeps the file open, for only the owner removes files from the table, and it
//! does not drop what it removes while something is lent. In a table of several threads a look-up makes one conditional
//! increment of the file's count.
//!
//! A slot holds one strong and one weak count. Removing a file gives the strong one back at once (the last close of a
//! pipe is seen at once) and the weak one, which keeps only the memory, after a grace period: a reader under a guard may
//! always try to upgrade what it found.

use crate::{
    Rcu,
    atomics::{AtomicBool, AtomicPtr, AtomicUsize, Ordering},
    lock::{WriteGuard, WriteLock},
};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    ops::Deref,
    ptr,
};

/// No free number below the limit, or no memory.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Full {
    /// The limit is reached.
    Limit,
    /// The array could not grow.
    Memory,
}

/// Owner of a table that nobody has looked into yet.
const UNCLAIMED: usize = usize::MAX;
/// Owner of a table of several threads.
const SHARED: usize = 0;
/// Numbers in a new table: a word of bits.
const FIRST_LEN: usize = 64;
/// Closed files whose memory waits in one batch for a grace period.
const LIMBO: usize = 32;

struct Array<T> {
    slots: Box<[AtomicPtr<T>]>,
}

impl<T> Array<T> {
    fn new(len: usize) -> Result<Box<Array<T>>, Full> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(len).map_err(|_| Full::Memory)?;
        slots.resize_with(len, || AtomicPtr::new(ptr::null_mut()));
        Ok(Box::new(Array { slots: slots.into_boxed_slice() }))
    }
}

/// What only writers touch, under the lock.
struct Writer<T> {
    /// Numbers in use (or reserved), a bit each; as long as the array.
    used: Vec<u64>,
    /// Words of `used` that are full, a bit each.
    full: Vec<u64>,
    cloexec: Vec<u64>,
    /// All numbers below this one are in use.
    low: usize,
    /// Files taken out while something was lent.
    parked: Vec<Arc<T>>,
    /// Weak counts that wait to be given to the grace period.
    limbo: Vec<Weak<T>>,
}

/// A descriptor table.
pub struct FdMap<T: Send + Sync + 'static, R: Rcu> {
    array: AtomicPtr<Array<T>>,
    lock: WriteLock<R>,
    writer: UnsafeCell<Writer<T>>,
    owner: AtomicUsize,
    /// How many files are lent. Only the owner touches it, so its increments need not be atomic.
    lent: AtomicUsize,
    /// Another thread looked into the table while it had an owner: what was lent then cannot be known.
    tainted: AtomicBool,
    /// `parked` is not empty.
    has_parked: AtomicBool,
    owns: PhantomData<T>,
}

// SAFETY: `writer` is only touched under `lock`; the rest is atomic, and `T` may be shared and sent.
unsafe impl<T: Send + Sync + 'static, R: Rcu> Sync for FdMap<T, R> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync + 'static, R: Rcu> Send for FdMap<T, R> {}

/// A file out of a table, open while this lives.
pub struct Lent<'a, T: Send + Sync + 'static, R: Rcu> {
    /// Really owned only when `map` is `None`.
    file: ManuallyDrop<Arc<T>>,
    map: Option<&'a FdMap<T, R>>,
    /// Stays with the thread that is counted in `lent`.
    not_send: PhantomData<*const ()>,
}

impl<T: Send + Sync + 'static, R: Rcu> Deref for Lent<'_, T, R> {
    type Target = Arc<T>;
    fn deref(&self) -> &Arc<T> {
        &self.file
    }
}

impl<T: Send + Sync + 'static, R: Rcu> Drop for Lent<'_, T, R> {
    fn drop(&mut self) {
        match self.map {
            Some(map) => map.give_back(),
            // SAFETY: an owned reference, dropped once, here.
            None => unsafe { ManuallyDrop::drop(&mut self.file) },
        }
    }
}

/// Look-ups of many files by one thread: whose table it is was asked once. While it lives, all files of an owned table are lent.
pub struct Lookups<'a, T: Send + Sync + 'static, R: Rcu> {
    map: &'a FdMap<T, R>,
    owned: bool,
    /// As in [`Lent`].
    not_send: PhantomData<*const ()>,
}

impl<T: Send + Sync + 'static, R: Rcu> Lookups<'_, T, R> {
    /// What `f` says of the file behind a number; `None` when there is none.
    #[inline]
    pub fn with<U>(&self, fd: u32, f: impl FnOnce(&T) -> U) -> Option<U> {
        if !self.owned {
            return self.map.load(fd).map(|file| f(&file));
        }
        // SAFETY: this is the owner's thread, as this cannot be sent, and its look-ups count as lent.
        unsafe { self.map.owned_slot(fd).as_ref() }.map(f)
    }
}

impl<T: Send + Sync + 'static, R: Rcu> Drop for Lookups<'_, T, R> {
    fn drop(&mut self) {
        if self.owned {
            self.map.give_back();
        }
    }
}

struct Locked<'a, T: Send + Sync + 'static, R: Rcu> {
    map: &'a FdMap<T, R>,
    guard: WriteGuard<'a, R>,
}

impl<T: Send + Sync + 'static, R: Rcu> Locked<'_, T, R> {
    fn writer(&mut self) -> &mut Writer<T> {
        // SAFETY: the lock is held, and this borrow is the only way to the writer's data.
        unsafe { &mut *self.map.writer.get() }
    }
    fn array(&self) -> &Array<T> {
        self.map.array(&self.guard.read)
    }
}

impl<T: Send + Sync + 'static, R: Rcu> FdMap<T, R> {
    /// An empty table. Its owner will be the first thread that looks into it.
    pub fn new() -> Result<Self, Full> {
        Self::with_len(FIRST_LEN)
    }

    fn with_len(len: usize) -> Result<Self, Full> {
        let array = Array::new(len)?;
        let mut writer = Writer {
            used: Vec::new(),
            full: Vec::new(),
            cloexec: Vec::new(),
            low: 0,
            parked: Vec::new(),
            limbo: Vec::new(),
        };
        writer.resize(len)?;
        Ok(FdMap {
            array: AtomicPtr::new(Box::into_raw(array)),
            lock: WriteLock::new(),
            writer: UnsafeCell::new(writer),
            owner: AtomicUsize::new(UNCLAIMED),
            lent: AtomicUsize::new(0),
            tainted: AtomicBool::new(false),
            has_parked: AtomicBool::new(false),
            owns: PhantomData,
        })
    }

    /// A copy with the same files and flags.
    pub fn fork(&self) -> Result<Self, Full> {
        // The array may grow until the lock is taken, hence the loop.
        let mut len = 0;
        loop {
            len = self.array(&R::read()).slots.len().max(len);
            let copy = Self::with_len(len)?;
            let mut source = self.locked();
            if source.array().slots.len() > len {
                continue;
            }
            let mut target = copy.locked();
            for (fd, slot) in source.array().slots.iter().enumerate() {
                // Under the lock a slot's strong count is alive.
                if let Some(file) = upgrade(slot.load(Ordering::Relaxed)) {
                    target.array().slots[fd].store(publish(file), Ordering::Relaxed);
                    target.writer().mark(fd);
                }
            }
            let cloexec = &source.writer().cloexec;
            target.writer().cloexec[..cloexec.len()].copy_from_slice(cloexec);
            drop((source, target));
            return Ok(copy);
        }
    }

    fn array<'g>(&'g self, _guard: &'g R::Guard) -> &'g Array<T> {
        // SAFETY: never null; a replaced array is freed after a grace period, which the guard holds off.
        unsafe { &*self.array.load(Ordering::Acquire) }
    }

    fn locked(&self) -> Locked<'_, T, R> {
        Locked { map: self, guard: self.lock.lock() }
    }

    /// From now on several threads use the table. Called by the thread that will share it, before it does.
    pub fn share(&self) {
        let owner = self.owner.load(Ordering::Relaxed);
        if owner == SHARED {
            return;
        }
        if owner != UNCLAIMED && (owner != R::thread() || self.lent.load(Ordering::Relaxed) != 0) {
            self.tainted.store(true, Ordering::Relaxed);
        }
        self.owner.store(SHARED, Ordering::Release);
    }

    /// The file behind a number, for use by the calling thread.
    #[inline]
    pub fn lend(&self, fd: u32) -> Option<Lent<'_, T, R>> {
        let owner = self.owner.load(Ordering::Relaxed);
        if owner != R::thread() && !self.claim(owner) {
            let file = ManuallyDrop::new(self.load(fd)?);
            return Some(Lent { file, map: None, not_send: PhantomData });
        }
        // SAFETY: the calling thread owns the table.
        let file = unsafe { self.owned_slot(fd) };
        if file.is_null() {
            return None;
        }
        self.count_lent();
        // SAFETY: the slot's strong count is alive, and what is removed from now on is parked (see `owned_slot`). `Lent` does not
        // drop this reference.
        let file = ManuallyDrop::new(unsafe { Arc::from_raw(file) });
        Some(Lent { file, map: Some(self), not_send: PhantomData })
    }

    /// The same for many files in a row.
    #[inline]
    pub fn lookups(&self) -> Lookups<'_, T, R> {
        let owner = self.owner.load(Ordering::Relaxed);
        let owned = owner == R::thread() || self.claim(owner);
        if owned {
            self.count_lent();
        }
        Lookups { map: self, owned, not_send: PhantomData }
    }

    /// A slot's word; null when it is empty. The file behind it is alive until its owner removes it, or longer: what is removed
    /// while something is lent is parked, not dropped.
    ///
    /// # Safety
    /// The calling thread owns the table, or has owned it since before it lent something that is still lent.
    #[inline]
    unsafe fn owned_slot(&self, fd: u32) -> *const T {
        // The array cannot be replaced under us: only the owner, which is us, grows it while there is one. (Another thread that
        // grew it all the same first made the table a shared one, and left the old array for ever: see `grow`.)
        // SAFETY: never null, and not freed, as just said.
        let array = unsafe { &*self.array.load(Ordering::Acquire) };
        array.slots.get(fd as usize).map_or(ptr::null(), |slot| slot.load(Ordering::Acquire))
    }

    #[inline]
    fn count_lent(&self) {
        self.lent.store(self.lent.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The slow start of `lend`: whether the calling thread owns the table now.
    #[cold]
    fn claim(&self, owner: usize) -> bool {
        match owner {
            SHARED => false,
            UNCLAIMED => {
                let me = R::thread();
                self.owner
                    .compare_exchange(UNCLAIMED, me, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            }
            _ => {
                self.share();
                false
            }
        }
    }

    #[inline]
    fn give_back(&self) {
        let lent = self.lent.load(Ordering::Relaxed) - 1;
        self.lent.store(lent, Ordering::Relaxed);
        if lent == 0 && self.has_parked.load(Ordering::Relaxed) {
            self.drop_parked();
        }
    }

    #[cold]
    fn drop_parked(&self) {
        if self.tainted.load(Ordering::Relaxed) {
            return;
        }
        let parked = mem::take(&mut self.locked().writer().parked);
        self.has_parked.store(false, Ordering::Relaxed);
        drop(parked);
    }

    /// A counted reference to the file behind a number, from any thread.
    pub fn load(&self, fd: u32) -> Option<Arc<T>> {
        let guard = R::read();
        let slot = self.array(&guard).slots.get(fd as usize)?;
        upgrade(slot.load(Ordering::Acquire))
    }

    /// Takes the lowest free number from `from` and below `limit`, without a file yet.
    pub fn reserve(&self, from: u32, limit: u32) -> Result<u32, Full> {
        let mut locked = self.locked();
        loop {
            let fd = locked.writer().lowest_free(from as usize);
            if fd >= limit as usize {
                return Err(Full::Limit);
            }
            if fd < locked.array().slots.len() {
                locked.writer().mark(fd);
                return Ok(fd as u32);
            }
            drop(locked);
            self.grow(fd)?;
            locked = self.locked();
        }
    }

    /// Gives a reserved number back.
    pub fn unreserve(&self, fd: u32) {
        let mut locked = self.locked();
        debug_assert!(locked.array().slots[fd as usize].load(Ordering::Relaxed).is_null());
        locked.writer().unmark(fd as usize);
    }

    /// Puts the file behind a reserved number.
    pub fn fill(&self, fd: u32, file: Arc<T>, cloexec: bool) {
        let mut locked = self.locked();
        locked.writer().set_cloexec(fd as usize, cloexec);
        let old = locked.array().slots[fd as usize].swap(publish(file), Ordering::Release);
        debug_assert!(old.is_null());
    }

    /// Puts the file behind a given number (`dup2(2)`); the file that was there. `Err(None)`: the number is reserved by an open
    /// that is under way.
    pub fn place(
        &self,
        fd: u32,
        file: Arc<T>,
        cloexec: bool,
    ) -> Result<Option<Arc<T>>, Option<Full>> {
        if fd as usize >= self.array(&R::read()).slots.len() {
            self.grow(fd as usize).map_err(Some)?;
        }
        let mut locked = self.locked();
        let old = locked.array().slots[fd as usize].load(Ordering::Relaxed);
        if old.is_null() && locked.writer().is_used(fd as usize) {
            return Err(None);
        }
        locked.writer().mark(fd as usize);
        locked.writer().set_cloexec(fd as usize, cloexec);
        locked.array().slots[fd as usize].store(publish(file), Ordering::Release);
        Ok(self.retire(locked, old))
    }

    /// Takes a file out. Drop the result outside of locks; it is the last reference unless there are others.
    pub fn remove(&self, fd: u32) -> Option<Arc<T>> {
        let mut locked = self.locked();
        let slot = locked.array().slots.get(fd as usize)?;
        let old = slot.load(Ordering::Relaxed);
        if old.is_null() {
            return None;
        }
        slot.store(ptr::null_mut(), Ordering::Release);
        locked.writer().unmark(fd as usize);
        self.retire(locked, old)
    }

    /// What becomes of a file that was just taken out of its slot.
    fn retire(&self, mut locked: Locked<'_, T, R>, old: *mut T) -> Option<Arc<T>> {
        if old.is_null() {
            return None;
        }
        // SAFETY: `publish` gave the slot one strong and one weak count under this pointer, and the slot has let go of it.
        let (file, weak) = unsafe { (Arc::from_raw(old), Weak::from_raw(old)) };
        let owner = self.owner.load(Ordering::Relaxed);
        let nothing_lent = match owner {
            SHARED | UNCLAIMED => !self.tainted.load(Ordering::Relaxed),
            _ => owner == R::thread() && self.lent.load(Ordering::Relaxed) == 0,
        };
        if !nothing_lent {
            locked.writer().parked.push(file.clone());
            self.has_parked.store(true, Ordering::Relaxed);
        }
        let limbo = &mut locked.writer().limbo;
        limbo.push(weak);
        let batch = (limbo.len() >= LIMBO).then(|| mem::take(limbo));
        drop(locked);
        if let Some(batch) = batch {
            R::defer(Box::new(move || drop(batch)));
        }
        Some(file)
    }

    /// Makes room for number `fd`.
    fn grow(&self, fd: usize) -> Result<(), Full> {
        let len = (fd + 1).next_power_of_two().max(FIRST_LEN);
        let bigger = Array::new(len)?;
        let foreign = {
            let owner = self.owner.load(Ordering::Relaxed);
            !matches!(owner, SHARED | UNCLAIMED) && owner != R::thread()
        };
        if foreign {
            self.share();
        }
        let mut locked = self.locked();
        let old_len = locked.array().slots.len();
        if old_len >= len {
            return Ok(());
        }
        locked.writer().resize(len)?;
        for (new, old) in bigger.slots.iter().zip(&locked.array().slots) {
            new.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let old = self.array.swap(Box::into_raw(bigger), Ordering::Release);
        drop(locked);
        if self.tainted.load(Ordering::Relaxed) {
            // The former owner may be reading the old array outside of any guard. It is small; it stays.
            return Ok(());
        }
        // SAFETY: unpublished, once; freed after a grace period. The slots' counts have moved to the new array.
        let old = unsafe { Box::from_raw(old) };
        R::defer(Box::new(move || drop(old)));
        Ok(())
    }

    /// The close-on-exec flag; `None` when nothing is open there.
    pub fn cloexec(&self, fd: u32) -> Option<bool> {
        let mut locked = self.locked();
        let slot = locked.array().slots.get(fd as usize)?;
        if slot.load(Ordering::Relaxed).is_null() {
            return None;
        }
        Some(get_bit(&locked.writer().cloexec, fd as usize))
    }

    /// Sets the close-on-exec flag; whether something is open there.
    pub fn set_cloexec(&self, fd: u32, on: bool) -> bool {
        let mut locked = self.locked();
        let open = locked
            .array()
            .slots
            .get(fd as usize)
            .is_some_and(|slot| !slot.load(Ordering::Relaxed).is_null());
        if open {
            locked.writer().set_cloexec(fd as usize, on);
        }
        open
    }

    /// The first number from `from` that has a file.
    pub fn next_open(&self, from: u32) -> Option<u32> {
        let guard = R::read();
        let slots = &self.array(&guard).slots;
        let open = |fd: &usize| !slots[*fd].load(Ordering::Acquire).is_null();
        (from as usize..slots.len()).find(open).map(|fd| fd as u32)
    }

    /// Takes out the file behind the first number from `from` on that has one, of a table that nobody uses any more; the number too.
    pub fn take_next(&mut self, from: u32) -> Option<(u32, Arc<T>)> {
        // SAFETY: never null, and the table is the caller's alone.
        let slots = &unsafe { &*self.array.load(Ordering::Relaxed) }.slots;
        let used = &self.writer.get_mut().used;
        let mut word = from as usize / 64;
        let mut left = used.get(word)? & (u64::MAX << (from % 64));
        loop {
            while left == 0 {
                word += 1;
                left = *used.get(word)?;
            }
            let fd = word * 64 + left.trailing_zeros() as usize;
            left &= left - 1;
            let old = slots[fd].swap(ptr::null_mut(), Ordering::Relaxed);
            if !old.is_null() {
                // SAFETY: `publish` gave the slot one strong and one weak count under this pointer, and the slot has let go of it.
                let (file, weak) = unsafe { (Arc::from_raw(old), Weak::from_raw(old)) };
                drop(weak);
                return Some((fd as u32, file));
            }
        }
    }

    /// The first number from `from` that is open and marked close-on-exec.
    pub fn next_cloexec(&self, from: u32) -> Option<u32> {
        let mut locked = self.locked();
        let len = locked.array().slots.len();
        (from as usize..len)
            .find(|&fd| get_bit(&locked.writer().cloexec, fd) && get_bit(&locked.writer().used, fd))
            .map(|fd| fd as u32)
    }
}

impl<T> Writer<T> {
    fn resize(&mut self, len: usize) -> Result<(), Full> {
        let words = len / 64;
        for (bits, n) in [
            (&mut self.used, words),
            (&mut self.cloexec, words),
            (&mut self.full, words.div_ceil(64)),
        ] {
            bits.try_reserve(n.saturating_sub(bits.len())).map_err(|_| Full::Memory)?;
            bits.resize(n.max(bits.len()), 0);
        }
        Ok(())
    }

    fn is_used(&self, fd: usize) -> bool {
        get_bit(&self.used, fd)
    }

    fn mark(&mut self, fd: usize) {
        set_bit(&mut self.used, fd, true);
        if self.used[fd / 64] == u64::MAX {
            set_bit(&mut self.full, fd / 64, true);
        }
    }

    fn unmark(&mut self, fd: usize) {
        self.low = self.low.min(fd);
        set_bit(&mut self.used, fd, false);
        set_bit(&mut self.full, fd / 64, false);
        set_bit(&mut self.cloexec, fd, false);
    }

    fn set_cloexec(&mut self, fd: usize, on: bool) {
        set_bit(&mut self.cloexec, fd, on);
    }

    /// The lowest number not in use, at least `from`; beyond the table when it is full.
    fn lowest_free(&mut self, from: usize) -> usize {
        let found = self.search_free(from.max(self.low));
        if from <= self.low {
            self.low = found;
        }
        found
    }

    fn search_free(&self, from: usize) -> usize {
        let mut word = from / 64;
        // The first word only counts from `from` on.
        if let Some(&used) = self.used.get(word) {
            let free = !used & (u64::MAX << (from % 64));
            if free != 0 {
                return word * 64 + free.trailing_zeros() as usize;
            }
            word += 1;
        }
        while word < self.used.len() {
            let not_full = !self.full[word / 64] & (u64::MAX << (word % 64));
            if not_full == 0 {
                word = (word / 64 + 1) * 64;
                continue;
            }
            word = word / 64 * 64 + not_full.trailing_zeros() as usize;
            if let Some(&used) = self.used.get(word) {
                return word * 64 + (!used).trailing_zeros() as usize;
            }
        }
        from.max(self.used.len() * 64)
    }
}

fn get_bit(bits: &[u64], at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
}

fn set_bit(bits: &mut [u64], at: usize, on: bool) {
    let mask = 1 << (at % 64);
    if on {
        bits[at / 64] |= mask;
    } else {
        bits[at / 64] &= !mask;
    }
}

/// A slot's word for a file: one strong and one weak count. (`Arc::into_raw` and `Weak::into_raw` of one object are the same
/// pointer.)
fn publish<T>(file: Arc<T>) -> *mut T {
    let _ = Arc::downgrade(&file).into_raw();
    Arc::into_raw(file).cast_mut()
}

/// A strong reference from a slot's word read under a guard, unless the file is just being closed.
fn upgrade<T>(word: *mut T) -> Option<Arc<T>> {
    if word.is_null() {
        return None;
    }
    // SAFETY: the slot's weak count is given back a grace period after the slot was cleared, and the caller read the word under a
    // guard that it still holds. The handle made here does not own the count and is forgotten.
    let weak = ManuallyDrop::new(unsafe { Weak::from_raw(word) });
    weak.upgrade()
}

impl<T: Send + Sync + 'static, R: Rcu> Drop for FdMap<T, R> {
    fn drop(&mut self) {
        // SAFETY: nobody else can reach the table any more.
        let array = unsafe { Box::from_raw(self.array.load(Ordering::Relaxed)) };
        for slot in &array.slots {
            let word = slot.load(Ordering::Relaxed);
            if !word.is_null() {
                // SAFETY: the slot owned one strong and one weak count.
                drop(unsafe { (Arc::from_raw(word), Weak::from_raw(word)) });
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::testing::TestRcu;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Map = FdMap<u32, TestRcu>;

    fn open(map: &Map, from: u32, value: u32) -> Result<u32, Full> {
        let fd = map.reserve(from, 1024)?;
        map.fill(fd, Arc::new(value), false);
        Ok(fd)
    }

    #[test]
    fn a_table_that_ends_gives_its_files_in_order() {
        let mut map = Map::new().expect("memory");
        for n in 0..200 {
            assert_eq!(open(&map, 0, n), Ok(n));
        }
        for n in (0..200).filter(|n| n % 3 != 0) {
            drop(map.remove(n).expect("open"));
        }
        // A number without a file, as of an open that is under way.
        assert_eq!(map.reserve(0, 1024), Ok(1));
        let mut from = 0;
        for n in (0..200).step_by(3) {
            let (fd, file) = map.take_next(from).expect("open");
            assert_eq!((fd, *file, Arc::strong_count(&file)), (n, n, 1));
            from = fd + 1;
        }
        assert!(map.take_next(from).is_none());
        assert!(map.take_next(0).is_none());
    }

    #[test]
    fn gives_the_lowest_free_number() {
        let map = Map::new().expect("memory");
        for n in 0..200 {
            assert_eq!(open(&map, 0, n), Ok(n));
        }
        map.remove(70);
        map.remove(3);
        assert_eq!(open(&map, 0, 0), Ok(3));
        assert_eq!(open(&map, 0, 0), Ok(70));
        assert_eq!(open(&map, 500, 0), Ok(500));
        assert_eq!(open(&map, 0, 0), Ok(200));
        assert_eq!(map.reserve(0, 100), Err(Full::Limit));
    }

    #[test]
    fn a_file_closed_while_lent_stays_open() {
        let map = Map::new().expect("memory");
        let file = Arc::new(7);
        let fd = map.reserve(0, 10).expect("room");
        map.fill(fd, file.clone(), false);
        let lent = map.lend(fd).expect("open");
        assert_eq!(Arc::strong_count(&file), 2, "lending counts nothing");
        drop(map.remove(fd));
        assert_eq!(**lent, 7);
        assert_eq!(Arc::strong_count(&file), 2);
        drop(lent);
        assert_eq!(Arc::strong_count(&file), 1);
    }

    #[test]
    fn a_file_closed_during_look_ups_stays_open() {
        let map = Map::new().expect("memory");
        let file = Arc::new(7);
        let fd = map.reserve(0, 10).expect("room");
        map.fill(fd, file.clone(), false);
        let lookups = map.lookups();
        let seen = lookups.with(fd, |seen| {
            drop(map.remove(fd));
            assert_eq!(Arc::strong_count(&file), 2, "parked");
            *seen
        });
        assert_eq!(seen, Some(7));
        assert_eq!(lookups.with(fd, |_| ()), None);
        drop(lookups);
        assert_eq!(Arc::strong_count(&file), 1);
        map.share();
        assert_eq!(open(&map, 0, 8), Ok(0));
        assert_eq!(map.lookups().with(0, |seen| *seen), Some(8));
    }

    #[test]
    fn a_shared_table_counts() {
        let map = Map::new().expect("memory");
        let file = Arc::new(7);
        let fd = map.reserve(0, 10).expect("room");
        map.fill(fd, file.clone(), false);
        map.share();
        let lent = map.lend(fd).expect("open");
        assert_eq!(Arc::strong_count(&file), 3);
        drop(map.remove(fd));
        drop(lent);
        assert_eq!(Arc::strong_count(&file), 1);
    }

    #[test]
    fn threads_share_a_table() {
        let map = Arc::new(Map::new().expect("memory"));
        map.share();
        std::thread::scope(|scope| {
            for t in 0..4 {
                let map = map.clone();
                scope.spawn(move || {
                    for n in 0..1000 {
                        let fd = open(&map, 0, t * 1000 + n).expect("room");
                        assert_eq!(map.lend(fd).map(|f| **f), Some(t * 1000 + n));
                        map.lend(n % 100);
                        map.remove(fd);
                    }
                });
            }
        });
        assert_eq!(map.next_open(0), None);
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec((0..5u8, 0..300u32), 0..200)) {
            let map = Map::new().expect("memory");
            let mut model: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
            for (n, (step, fd)) in (0u32..).zip(steps) {
                match step {
                    0 | 1 => {
                        let lowest = (fd..).find(|fd| !model.contains_key(fd)).expect("some");
                        prop_assert_eq!(open(&map, fd, n), Ok(lowest));
                        model.insert(lowest, (n, false));
                    }
                    2 => {
                        let old = map.place(fd, Arc::new(n), true).expect("not reserved");
                        prop_assert_eq!(old.map(|f| *f), model.insert(fd, (n, true)).map(|f| f.0));
                    }
                    3 => {
                        let old = map.remove(fd);
                        prop_assert_eq!(old.map(|f| *f), model.remove(&fd).map(|f| f.0));
                    }
                    _ => {
                        let open = map.set_cloexec(fd, true);
                        prop_assert_eq!(open, model.contains_key(&fd));
                        model.entry(fd).and_modify(|f| f.1 = true);
                    }
                }
            }
            let copy = map.fork().expect("memory");
            for map in [&map, &copy] {
                for fd in 0..320 {
                    prop_assert_eq!(map.lend(fd).map(|f| **f), model.get(&fd).map(|f| f.0));
                    prop_assert_eq!(map.cloexec(fd), model.get(&fd).map(|f| f.1));
                }
            }
        }
    }
}
