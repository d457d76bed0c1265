//! Addresses of local sockets, and who is bound to them: names in the file system hang on their inode, abstract names are in
//! a table.

use super::UnixSocket;
use crate::{
    fs::{FileMode, FileType, Inode, modify, permission, walk},
    net::{AF_UNIX, Address},
    sched,
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicU32, Ordering};

/// Bytes of the family at the start of an address.
const FAMILY_LEN: usize = size_of::<u16>();
/// `sizeof(struct sockaddr_un)`.
const MAX_LEN: usize = FAMILY_LEN + 108;

/// What a socket is bound to.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Name {
    /// A path, as it was given.
    Path(Vec<u8>),
    /// An abstract name, without its leading NUL.
    Abstract(Vec<u8>),
}

/// An address that a call was given.
pub(super) enum Given {
    /// Only the family: bind chooses a name.
    Unnamed,
    /// A name.
    Name(Name),
}

/// Bound abstract names.
static ABSTRACT: SpinLock<BTreeMap<Vec<u8>, Weak<UnixSocket>>> =
    SpinLock::new(&class::SOCKET_NAME, BTreeMap::new());

/// What hangs on the inode of a name in the file system.
struct Bound(Weak<UnixSocket>);

impl Name {
    /// Decodes an address; `EINVAL` for a wrong family or length.
    pub fn parse(address: &[u8]) -> Result<Given> {
        let family = address.first_chunk::<FAMILY_LEN>().ok_or(Errno::EINVAL)?;
        if u16::from_ne_bytes(*family) != AF_UNIX || address.len() > MAX_LEN {
            return Err(Errno::EINVAL);
        }
        let path = &address[FAMILY_LEN..];
        Ok(match path {
            [] => Given::Unnamed,
            // All bytes count, NULs too.
            [0, name @ ..] => Given::Name(Name::Abstract(name.to_vec())),
            path => {
                let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                Given::Name(Name::Path(path[..end].to_vec()))
            }
        })
    }

    /// Encodes an address; only the family for an unnamed socket.
    pub fn to_address(name: Option<&Name>) -> Address {
        let mut address = Address::new();
        address.extend(AF_UNIX.to_ne_bytes());
        match name {
            None => {}
            Some(Name::Path(path)) => {
                address.extend(path.iter().copied());
                address.push(0);
            }
            Some(Name::Abstract(name)) => {
                address.push(0);
                address.extend(name.iter().copied());
            }
        }
        address
    }
}

/// `bind(2)`: `EINVAL` when bound already, `EADDRINUSE`, and what making the name in the file system gives.
pub(super) fn bind(socket: &UnixSocket, address: &[u8]) -> Result<()> {
    let name = match Name::parse(address)? {
        Given::Unnamed => return bind_somewhere(socket),
        Given::Name(name) => name,
    };
    let named = socket.inner.lock().name.is_some();
    match &name {
        // Linux makes the name before it looks whether the socket has one.
        Name::Path(path) if named => {
            match walk::lookup(walk::AT_FDCWD, path, walk::LookupFlags::empty()) {
                Ok(_) => Err(Errno::EADDRINUSE),
                Err(_) => Err(Errno::EINVAL),
            }
        }
        Name::Abstract(_) if named => Err(Errno::EINVAL),
        Name::Path(path) => {
            let mode = FileMode(0o777);
            let place = modify::make_socket(path, mode)?;
            let bound = Arc::new(Bound(Weak::clone(&socket.me)));
            place.inode().attach(bound);
            set_name(socket, name)
        }
        Name::Abstract(bytes) => {
            claim(socket, bytes)?;
            let result = set_name(socket, Name::Abstract(bytes.clone()));
            if result.is_err() {
                unbind(socket, &name);
            }
            result
        }
    }
}

fn set_name(socket: &UnixSocket, name: Name) -> Result<()> {
    let mut inner = socket.inner.lock();
    if inner.name.is_some() {
        return Err(Errno::EINVAL);
    }
    inner.name = Some(Arc::new(name));
    Ok(())
}

/// Takes an abstract name; `EADDRINUSE`.
fn claim(socket: &UnixSocket, name: &[u8]) -> Result<()> {
    let mut table = ABSTRACT.lock();
    if table.contains_key(name) {
        return Err(Errno::EADDRINUSE);
    }
    table.insert(name.to_vec(), Weak::clone(&socket.me));
    Ok(())
}

/// Binds to an abstract name of five digits that is free; nothing to do when bound already.
pub(super) fn bind_somewhere(socket: &UnixSocket) -> Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if socket.inner.lock().name.is_some() {
        return Ok(());
    }
    for _ in 0..=0xfffff {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) & 0xfffff;
        let digits =
            [16, 12, 8, 4, 0].map(|shift| b"0123456789abcdef"[number as usize >> shift & 15]);
        if claim(socket, &digits).is_ok() {
            let name = Name::Abstract(digits.to_vec());
            if set_name(socket, name).is_err() {
                // Another thread was faster.
                unbind(socket, &Name::Abstract(digits.to_vec()));
            }
            return Ok(());
        }
    }
    Err(Errno::ENOSPC)
}

/// Gives a name back when the socket closes. A name in the file system stays, but leads nowhere.
pub(super) fn unbind(socket: &UnixSocket, name: &Name) {
    if let Name::Abstract(bytes) = name {
        let mut table = ABSTRACT.lock();
        if table.get(bytes).is_some_and(|bound| Weak::ptr_eq(bound, &socket.me)) {
            table.remove(bytes);
        }
    }
}

/// The socket bound to an address: `ECONNREFUSED` when there is none, `EPROTOTYPE` when it is of another kind, and what the
/// look-up in the file system gives.
pub(super) fn find(socket: &UnixSocket, address: &[u8]) -> Result<Arc<UnixSocket>> {
    let Given::Name(name) = Name::parse(address)? else { return Err(Errno::EINVAL) };
    let found = match &name {
        Name::Abstract(bytes) => {
            ABSTRACT.lock().get(bytes).and_then(Weak::upgrade).ok_or(Errno::ECONNREFUSED)?
        }
        Name::Path(path) => {
            let place = walk::lookup(walk::AT_FDCWD, path, walk::LookupFlags::FOLLOW)?;
            let who = sched::current().credentials.load();
            permission::check_path(&place, &who, permission::Access::WRITE)?;
            bound_to(place.inode()).ok_or(Errno::ECONNREFUSED)?
        }
    };
    if found.kind != socket.kind {
        return Err(Errno::EPROTOTYPE);
    }
    Ok(found)
}

fn bound_to(inode: &Inode) -> Option<Arc<UnixSocket>> {
    if inode.file_type() != FileType::Socket {
        return None;
    }
    let bound = inode.attachment()?.downcast_ref::<Bound>()?;
    let socket = bound.0.upgrade()?;
    let dead = socket.inner.lock().dead;
    (!dead).then_some(socket)
}
