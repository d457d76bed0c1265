//! How mounts pass on what is mounted on them and taken off: peer groups, slaves, private and unbindable mounts
//! (`mount_namespaces(7)`, "shared subtrees").
//!
//! A group is a number; its members are the mounts of the tree that have it. Everything here runs under the lock of
//! [`super::mount_tree`], whose list it is given.

use super::Mount;
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU32, Ordering};

/// A peer group: mounts that see the same changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerGroup(u32);

impl PeerGroup {
    /// A group of its own.
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
    /// Its number in `/proc/<pid>/mountinfo`.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Where a mount stands. The default is private.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Propagation {
    /// The group whose changes it takes part in.
    pub group: Option<PeerGroup>,
    /// The group whose changes it only receives.
    pub master: Option<PeerGroup>,
    /// It cannot be bound to another place.
    pub unbindable: bool,
}

/// What `mount(2)` can make of a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `MS_SHARED`
    Shared,
    /// `MS_SLAVE`
    Slave,
    /// `MS_PRIVATE`
    Private,
    /// `MS_UNBINDABLE`
    Unbindable,
}

/// Makes `mount`, one of `list`, a mount of this kind.
pub fn change(list: &[Arc<Mount>], mount: &Arc<Mount>, kind: Kind) {
    let mut state = mount.propagation();
    match kind {
        Kind::Shared => {
            state.group = state.group.or_else(|| Some(PeerGroup::new()));
            state.unbindable = false;
        }
        Kind::Slave => {
            // Without another member there is nobody to receive from.
            let group = state.group.take().filter(|group| {
                let member = |other: &&Arc<Mount>| other.propagation().group == Some(*group);
                list.iter().filter(member).count() > 1
            });
            state.master = group.or(state.master);
        }
        Kind::Private => state = Propagation::default(),
        Kind::Unbindable => state = Propagation { unbindable: true, ..Propagation::default() },
    }
    mount.set_propagation(state);
}

/// Gives every mount of a tree that comes to lie on a shared mount a group, so that its copies have one to be in.
pub fn share_all(tree: &[Arc<Mount>]) {
    for mount in tree {
        let state = mount.propagation();
        if state.group.is_none() {
            mount.set_propagation(Propagation { group: Some(PeerGroup::new()), ..state });
        }
    }
}

/// The mounts that receive what happens on `of`: its peers, the slaves of the group, their peers, and so on.
pub fn receivers(list: &[Arc<Mount>], of: &Arc<Mount>) -> Vec<Arc<Mount>> {
    let mut groups: Vec<PeerGroup> = of.propagation().group.into_iter().collect();
    let mut found: Vec<Arc<Mount>> = Vec::new();
    let mut next = 0;
    while let Some(group) = groups.get(next).copied() {
        next += 1;
        for mount in list {
            let state = mount.propagation();
            if state.group != Some(group) && state.master != Some(group) {
                continue;
            }
            if Arc::ptr_eq(mount, of) || found.iter().any(|other| Arc::ptr_eq(other, mount)) {
                continue;
            }
            found.push(mount.clone());
            groups.extend(state.group.filter(|group| !groups.contains(group)));
        }
    }
    found
}

/// The groups of copies so far, so that those on receivers of one group become peers.
#[derive(Default)]
pub struct CopyGroups(Vec<(PeerGroup, PeerGroup, PeerGroup)>);

impl CopyGroups {
    /// How a copy of `original`, mounted on `place`, stands when `receiver` gets it: a peer among peers, else a slave
    /// of the original, and shared with the copies on the receiver's own peers.
    pub fn state_of_copy(
        &mut self,
        original: &Mount,
        place: &Mount,
        receiver: &Mount,
    ) -> Propagation {
        let original = original.propagation();
        let group = receiver.propagation().group;
        let (Some(of), Some(group)) = (original.group, group) else {
            return Propagation { master: original.group, ..Propagation::default() };
        };
        if place.propagation().group == Some(group) {
            return original;
        }
        let known = self.0.iter().find(|known| known.0 == of && known.1 == group);
        let fresh = known.map_or_else(PeerGroup::new, |known| known.2);
        if known.is_none() {
            self.0.push((of, group, fresh));
        }
        Propagation { group: Some(fresh), master: Some(of), unbindable: false }
    }
}

/// `EINVAL` if a mount must not be bound elsewhere.
pub fn check_bindable(mount: &Mount) -> Result<()> {
    if mount.propagation().unbindable { Err(Errno::EINVAL) } else { Ok(()) }
}

/// `EINVAL` if a mount lies on a shared one: it cannot be moved away.
pub fn check_movable(mount: &Mount) -> Result<()> {
    let shared = |place: super::Path| place.mount.propagation().group.is_some();
    if mount.mountpoint().is_some_and(shared) { Err(Errno::EINVAL) } else { Ok(()) }
}
