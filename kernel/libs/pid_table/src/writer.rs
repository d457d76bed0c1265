//! The write side: reserving ids, publishing values, and giving both back.

use crate::{
    Domain, LIMIT, NODE, PidTable, ROOT,
    bitmap::Bitmap,
    join,
    node::{Branch, Leaf},
    split,
    sync::{
        Arc,
        Ordering::{Acquire, Release},
    },
};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc as ValueArc};

/// What the writer knows about a leaf: which ids are taken (with a value or reserved).
type LeafUse = Bitmap<{ NODE.div_ceil(64) }>;

/// What the writer knows about a branch.
struct BranchUse {
    full: Bitmap<{ NODE.div_ceil(64) }>,
    leaves: BTreeMap<usize, LeafUse>,
}

/// The one writer of a table.
pub struct PidWriter<T: Send + Sync + 'static, D: Domain> {
    table: Arc<PidTable<T, D>>,
    full: Bitmap<{ ROOT.div_ceil(64) }>,
    branches: BTreeMap<usize, BranchUse>,
    last: u32,
}

/// Which ids may be handed out.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    /// The lowest; where the search goes on after the highest.
    pub min: u32,
    /// One more than the highest.
    pub max: u32,
}

impl<T: Send + Sync + 'static, D: Domain> PidWriter<T, D> {
    pub(crate) fn new(table: Arc<PidTable<T, D>>) -> Self {
        Self { table, full: Bitmap::new(), branches: BTreeMap::new(), last: 0 }
    }

    /// Reserves the next free id after the one handed out last, within `range`, starting over at its minimum. `None`
    /// when all are taken. No reader sees the id until [`PidWriter::set`].
    pub fn reserve(&mut self, range: Reserve) -> Option<u32> {
        let max = range.max.min(LIMIT);
        let from = (self.last + 1).max(range.min);
        let id = self
            .first_free(from)
            .filter(|&id| id < max)
            .or_else(|| self.first_free(range.min).filter(|&id| id < max))?;
        self.mark(id);
        self.last = id;
        Some(id)
    }

    /// Reserves the lowest free id within `range`; [`PidWriter::reserve`] goes on as if this had not been.
    pub fn reserve_lowest(&mut self, range: Reserve) -> Option<u32> {
        let id = self.first_free(range.min).filter(|&id| id < range.max.min(LIMIT))?;
        self.mark(id);
        Some(id)
    }

    /// Reserves this id; whether it was free.
    pub fn reserve_exact(&mut self, id: u32) -> bool {
        let free = id < LIMIT && self.first_free(id) == Some(id);
        if free {
            self.mark(id);
        }
        free
    }

    /// The id that [`PidWriter::reserve`] handed out last.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// Publishes (or replaces, or with `None` hides) the value of a reserved id. Readers see the old value or the new one.
    pub fn set(&mut self, id: u32, value: Option<ValueArc<T>>) {
        let (r, b, s) = split(id);
        let Some(leaf) = self.table.branch(r).and_then(|branch| branch.leaf(b)) else { return };
        let new = value.map_or(core::ptr::null_mut(), |value| ValueArc::into_raw(value).cast_mut());
        let old = leaf.swap(s, new);
        if !old.is_null() {
            // SAFETY: it came from `Arc::into_raw` above, and swapping it out made us its only owner. Readers that
            // still see it are waited for by `defer`.
            D::defer(unsafe { ValueArc::from_raw(old) });
        }
    }

    /// The value of `id`, as the writer sees it.
    pub fn get(&self, id: u32) -> Option<&T> {
        if id >= LIMIT {
            return None;
        }
        let (r, b, s) = split(id);
        // SAFETY: values are unlinked only through `&mut self`, which our borrow excludes.
        unsafe { self.table.branch(r)?.leaf(b)?.value(s).as_ref() }
    }

    /// Hides the value and gives the id back.
    pub fn release(&mut self, id: u32) {
        self.set(id, None);
        let (r, b, s) = split(id);
        let Some(branch_use) = self.branches.get_mut(&r) else { return };
        let Some(leaf_use) = branch_use.leaves.get_mut(&b) else { return };
        leaf_use.set(s, false);
        branch_use.full.set(b, false);
        self.full.set(r, false);
        if leaf_use.is_empty() {
            branch_use.leaves.remove(&b);
            let empty_leaf: Option<Box<Leaf<T>>> =
                self.table.branch(r).and_then(|branch| branch.unlink(b));
            if let Some(leaf) = empty_leaf {
                D::defer(leaf);
            }
            if branch_use.leaves.is_empty() {
                self.branches.remove(&r);
                self.unlink_branch(r);
            }
        }
    }

    fn unlink_branch(&mut self, r: usize) {
        let branch = self.table.root[r].load(Acquire);
        self.table.root[r].store(core::ptr::null_mut(), Release);
        if !branch.is_null() {
            // SAFETY: it came from `Box::into_raw` in `mark`; only the writer unlinks, so nobody frees it twice.
            D::defer(unsafe { Box::from_raw(branch) });
        }
    }

    /// The first id not below `from` that is neither reserved nor in use.
    fn first_free(&self, from: u32) -> Option<u32> {
        if from >= LIMIT {
            return None;
        }
        let (r0, b0, s0) = split(from);
        let mut r = self.full.first_clear(r0)?;
        loop {
            let (b, s) = if r == r0 { (b0, s0) } else { (0, 0) };
            if let Some(id) = self.first_free_in(r, b, s) {
                return Some(id);
            }
            // Full from `from` on though not full as a whole: only the first branch can be so.
            r = if r + 1 < ROOT { self.full.first_clear(r + 1)? } else { return None };
        }
    }

    fn first_free_in(&self, r: usize, b0: usize, s0: usize) -> Option<u32> {
        let Some(branch_use) = self.branches.get(&r) else { return Some(join(r, b0, s0)) };
        let mut b = branch_use.full.first_clear(b0)?;
        loop {
            let s = if b == b0 { s0 } else { 0 };
            match branch_use.leaves.get(&b) {
                None => return Some(join(r, b, s)),
                Some(leaf_use) => {
                    if let Some(s) = leaf_use.first_clear(s) {
                        return Some(join(r, b, s));
                    }
                }
            }
            b = if b + 1 < NODE { branch_use.full.first_clear(b + 1)? } else { return None };
        }
    }

    /// Marks a free id as taken and makes its nodes.
    fn mark(&mut self, id: u32) {
        let (r, b, s) = split(id);
        if self.table.branch(r).is_none() {
            self.table.root[r].store(Box::into_raw(Branch::new()), Release);
        }
        if let Some(branch) = self.table.branch(r)
            && branch.leaf(b).is_none()
        {
            branch.link(b, Leaf::new());
        }
        let branch_use = self
            .branches
            .entry(r)
            .or_insert_with(|| BranchUse { full: Bitmap::new(), leaves: BTreeMap::new() });
        let leaf_use = branch_use.leaves.entry(b).or_insert_with(LeafUse::new);
        debug_assert!(!leaf_use.get(s));
        leaf_use.set(s, true);
        if leaf_use.is_full() {
            branch_use.full.set(b, true);
            if branch_use.full.is_full() {
                self.full.set(r, true);
            }
        }
    }
}
