//! A segment: a file in memory that nobody can open, its attachments, and its end.
//!
//! Every mapping of a segment counts as an attachment, parts of split ones too, as on Linux. A segment that was removed (or, with
//! `shm_rmid_forced`, one whose maker is gone) ends with its last attachment.

use crate::{
    fs::{File, FileOps, OpenFlags, Path, tmpfs},
    ipc::{
        Permissions,
        ids::{Id, Key, Object, Writer},
        namespace, now,
    },
    mm::{Commitment, MappingWatcher, PAGE_SIZE},
    process::{Task, UserAccount},
    sched,
    sync::{SpinLock, class},
};
use abi::{
    Result,
    sysv::{IPC_PRIVATE, SHM_DEST, SHM_LOCKED},
};
use alloc::{format, sync::Arc};
use core::sync::atomic::Ordering::Relaxed;

/// A shared memory segment.
pub struct Segment {
    id: Id,
    size: usize,
    path: Path,
    pages: Arc<dyn FileOps>,
    pub(super) state: SpinLock<State>,
}

/// What the segment's lock protects.
pub(super) struct State {
    pub permissions: Permissions,
    /// `IPC_PRIVATE` once it was removed.
    pub key: Key,
    /// It is in the table no more.
    pub removed: bool,
    /// Mappings, and calls that are about to make one.
    pub attached: u64,
    /// The process that made it, and the last to attach or detach it.
    pub creator: u32,
    pub last: u32,
    /// Seconds since 1970 of the last attach, detach and change; 0: never.
    pub attached_at: i64,
    pub detached_at: i64,
    pub changed: i64,
    /// The task that made it, by its address, until it ends.
    maker: Option<usize>,
    /// Whose locked memory it counts as.
    locked_by: Option<Arc<UserAccount>>,
}

/// What a new segment is to be.
pub(super) struct NewSegment {
    pub size: usize,
    pub permissions: Permissions,
    /// Of its memory, unless `SHM_NORESERVE` said that none need be.
    pub promise: Option<Commitment>,
}

impl Object for Segment {
    fn id(&self) -> Id {
        self.id
    }
    fn permissions(&self) -> Permissions {
        self.state.lock().permissions
    }
}

/// What identifies a task while it lives.
fn identity(task: &Task) -> usize {
    core::ptr::from_ref(task).addr()
}

impl Segment {
    /// A segment of zeros.
    pub(super) fn new(id: Id, key: Key, new: NewSegment) -> Result<Segment> {
        let task = sched::current();
        let name = format!("/SYSV{key:08x} (deleted)");
        let ino = u64::from(id.cast_unsigned());
        let (path, pages) = tmpfs::new_segment(name.as_bytes(), ino, new.size as u64, new.promise)?;
        task.ipc.made_segments.store(true, Relaxed);
        let state = State {
            permissions: new.permissions,
            key,
            removed: false,
            attached: 0,
            creator: task.process.pid.0,
            last: 0,
            attached_at: 0,
            detached_at: 0,
            changed: now(),
            maker: Some(identity(&task)),
            locked_by: None,
        };
        let state = SpinLock::new(&class::IPC_OBJECT, state);
        Ok(Segment { id, size: new.size, path, pages, state })
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Its size in pages.
    pub fn pages(&self) -> u64 {
        self.size.div_ceil(PAGE_SIZE) as u64
    }

    /// Bytes of it in memory.
    pub fn resident(&self) -> u64 {
        self.path.inode().metadata().map_or(0, |metadata| metadata.blocks * 512)
    }

    /// An open file of its pages, for a mapping.
    pub(super) fn open(&self, flags: OpenFlags) -> Result<Arc<File>> {
        File::new(self.path.clone(), flags, Arc::clone(&self.pages))
    }

    /// An attachment (or a call that held one off) is gone.
    pub(super) fn let_go(&self, state: &mut State) -> End {
        state.attached -= 1;
        self.end_of(state)
    }

    fn end_of(&self, state: &State) -> End {
        let forced = || namespace::current().shm_rmid_forced.load(Relaxed);
        let doomed = state.permissions.mode & SHM_DEST != 0 || forced();
        if state.attached == 0 && doomed && !state.removed { End::Due } else { End::Open }
    }

    /// Ends the segment if that is due. No lock below `IPC_TABLE` is held.
    pub(super) fn end_if_due(&self) {
        let mut table = namespace::current().segments.lock();
        let mut state = self.state.lock();
        if self.end_of(&state) == End::Due {
            self.end(&mut state, &mut table);
        }
    }

    /// Takes the segment out of the table and all counts. Its pages go with the last reference.
    pub(super) fn end(&self, state: &mut State, table: &mut Writer<Segment>) {
        state.removed = true;
        table.remove(state.key, self.id);
        namespace::current().shm_pages.fetch_sub(self.pages(), Relaxed);
        self.unlock(state);
    }

    /// Removes it: at once if nobody has it attached, else with the last detach; nobody finds it by its key any more.
    pub(super) fn doom(&self, state: &mut State, table: &mut Writer<Segment>) {
        if state.attached == 0 {
            self.end(state, table);
        } else {
            state.permissions.mode |= SHM_DEST;
            table.forget_key(state.key, self.id);
            state.key = IPC_PRIVATE;
        }
    }

    /// Counts it as locked memory of `account`, which has room for it.
    pub(super) fn lock(&self, state: &mut State, account: Arc<UserAccount>) {
        account.locked_bytes.fetch_add(self.pages() * PAGE_SIZE as u64, Relaxed);
        state.locked_by = Some(account);
        state.permissions.mode |= SHM_LOCKED;
    }

    /// Counts it as locked no more.
    pub(super) fn unlock(&self, state: &mut State) {
        if let Some(account) = state.locked_by.take() {
            account.locked_bytes.fetch_sub(self.pages() * PAGE_SIZE as u64, Relaxed);
        }
        state.permissions.mode &= !SHM_LOCKED;
    }
}

/// Whether a segment ends now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Due,
    Open,
}

impl MappingWatcher for Segment {
    fn mapped(&self) {
        let mut state = self.state.lock();
        state.attached += 1;
        state.attached_at = now();
        state.last = sched::current().process.pid.0;
    }

    fn unmapped(&self) {
        let end = {
            let mut state = self.state.lock();
            state.detached_at = now();
            state.last = sched::current().process.pid.0;
            self.let_go(&mut state)
        };
        if end == End::Due {
            self.end_if_due();
        }
    }

    fn size(&self) -> usize {
        self.size
    }
}

/// A task ends: what it made is nobody's from now on, and ends if it must and nobody has it attached (`shm_rmid_forced`).
pub fn maker_exits(task: &Task) {
    if !task.ipc.made_segments.load(Relaxed) {
        return;
    }
    namespace::current().segments.for_each(|segment| {
        let end = {
            let mut state = segment.state.lock();
            if state.maker != Some(identity(task)) {
                return;
            }
            state.maker = None;
            segment.end_of(&state)
        };
        if end == End::Due {
            segment.end_if_due();
        }
    });
}

/// `shm_rmid_forced` was set: ends the segments that nobody has attached and whose makers are gone.
pub fn destroy_orphans() {
    namespace::current().segments.for_each(|segment| {
        let end = {
            let state = segment.state.lock();
            if state.maker.is_some() { End::Open } else { segment.end_of(&state) }
        };
        if end == End::Due {
            segment.end_if_due();
        }
    });
}
