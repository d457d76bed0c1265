//! What all processes of one real user share: the counts that `RLIMIT_NPROC` and its like bound.

use super::Uid;
use crate::sync::{Lazy, SpinLock, class};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A real user's counts.
#[derive(Debug)]
pub struct UserAccount {
    /// Whose.
    pub uid: Uid,
    /// Threads (`RLIMIT_NPROC`).
    pub threads: AtomicU64,
    /// Bytes locked by file-less objects (`RLIMIT_MEMLOCK`).
    pub locked_bytes: AtomicU64,
    /// Bytes in message queues (`RLIMIT_MSGQUEUE`).
    pub message_queue_bytes: AtomicU64,
}

/// Accounts in use.
static ACCOUNTS: Lazy<SpinLock<BTreeMap<Uid, Weak<UserAccount>>>> =
    Lazy::new(|| SpinLock::new(&class::TABLE, BTreeMap::new()));

impl UserAccount {
    /// The account of `uid`.
    pub fn of(uid: Uid) -> Arc<UserAccount> {
        let mut accounts = ACCOUNTS.lock();
        if let Some(account) = accounts.get(&uid).and_then(Weak::upgrade) {
            return account;
        }
        let account = Arc::new(UserAccount {
            uid,
            threads: AtomicU64::new(0),
            locked_bytes: AtomicU64::new(0),
            message_queue_bytes: AtomicU64::new(0),
        });
        accounts.insert(uid, Arc::downgrade(&account));
        account
    }

    /// Counts a thread in; the count with it.
    pub fn thread_begins(&self) -> u64 {
        self.threads.fetch_add(1, Relaxed) + 1
    }

    /// Counts a thread out.
    pub fn thread_ends(&self) {
        self.threads.fetch_sub(1, Relaxed);
    }
}

impl Drop for UserAccount {
    fn drop(&mut self) {
        let mut accounts = ACCOUNTS.lock();
        // A new account may have taken the place since the last count went.
        if accounts.get(&self.uid).is_some_and(|account| account.strong_count() == 0) {
            accounts.remove(&self.uid);
        }
    }
}
