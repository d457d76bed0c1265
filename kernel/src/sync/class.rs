//! Lock classes in their order, outermost first. A task that holds a lock may take only locks of
//! higher rank; equal ranks only where the class says how they are ordered among themselves.

/// What kind of lock this is.
#[derive(Debug)]
pub struct LockClass {
    /// Name in `/proc/lock_stat` and in reports.
    pub name: &'static str,
    /// Place in the order; lower is outer.
    pub rank: u16,
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $rank:literal;)*) => {$(
        $(#[$doc])*
        pub static $name: LockClass = LockClass { name: stringify!($name), rank: $rank };
    )*};
}

classes! {
    /// Creation and exit of tasks: parent/child links, groups, sessions.
    PROCESS_TREE = 5;
    /// What a process's relatives know of it; taken under `PROCESS_TREE`, one at a time.
    FAMILY = 6;
    /// The mount tree.
    MOUNT = 10;
    /// Renames between directories, one at a time a file system.
    RENAME = 15;
    /// A directory inode (taken parent before child, else by address).
    DIRECTORY = 20;
    /// Additions of epoll instances to epoll instances.
    EPOLL_NESTING = 26;
    /// The interests of an epoll instance; outer instance before inner. Files are polled under it.
    EPOLL = 27;
    /// An epoll item's registration.
    EPOLL_ITEM = 28;
    /// Position of an open file.
    FILE_POSITION = 30;
    /// Data and size of an inode.
    INODE_DATA = 40;
    /// Terminal state (termios, line buffer users).
    TTY = 45;
    /// The map of an address space.
    ADDRESS_SPACE = 50;
    /// One mapping.
    VMA = 55;
    /// A page or page-table page.
    PAGE = 60;
    /// A pipe or socket buffer.
    PIPE = 70;
    /// Descriptor table writers.
    FD_TABLE = 75;
    /// A hash bucket of futex waiters.
    FUTEX = 80;
    /// Dentry tree and hash writers.
    DENTRY = 82;
    /// Short leaf locks of tables (pid, inode number, ids).
    TABLE = 85;
    /// Terminal buffers filled by interrupts.
    TTY_BUFFER = 88;
    /// State of a timer file.
    TIMER_FILE = 89;
    /// A wait queue's list.
    WAIT_QUEUE = 90;
    /// The ready list of an epoll instance, and an item's interest: reached from wake-ups.
    EPOLL_READY = 92;
    /// The wait queue of an epoll instance, woken from another queue's wake-up.
    EPOLL_WAIT_QUEUE = 94;
    /// The threads of a process.
    THREADS = 95;
    /// Signal state of a process.
    SIGNAL = 100;
    /// Signal queue of a thread.
    SIGNAL_TASK = 102;
    /// Table of signal actions.
    SIGNAL_HANDLERS = 104;
    /// Counts of queued signals a user.
    SIGNAL_COUNT = 106;
    /// A run queue.
    RUN_QUEUE = 110;
    /// A timer base.
    TIMER = 120;
    /// A slab cache's node.
    SLAB = 130;
    /// A buddy allocator's node.
    FRAME = 140;
    /// The kernel log's records: taken under any lock, as anybody may print.
    KERNEL_LOG = 145;
    /// Serial port registers.
    SERIAL = 150;
}
