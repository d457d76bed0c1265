//! Lock classes in their order, outermost first. A task that holds a lock may take only locks of
//! higher rank; equal ranks only where the class says how they are ordered among themselves.

/// What kind of lock this is.
#[derive(Debug)]
pub struct LockClass {
    /// Name in `/proc/lock_stat` and in reports.
    pub name: &'static str,
    /// Place in [`ALL`].
    pub index: usize,
    /// Place in the order; lower is outer.
    #[cfg_attr(not(debug_assertions), expect(dead_code, reason = "for the lock order checker"))]
    pub rank: u16,
    /// Whether two locks of this class may be held together, in an order that the class's text gives.
    #[cfg_attr(not(debug_assertions), expect(dead_code, reason = "for the lock order checker"))]
    pub nests: bool,
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $rank:literal $($nests:ident)?;)*) => {$(
        $(#[$doc])*
        pub static $name: LockClass = LockClass {
            name: stringify!($name),
            index: Index::$name as usize,
            rank: $rank,
            nests: classes!(@nests $($nests)?),
        };
    )*
        /// Numbers the classes.
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of the statics")]
        enum Index { $($name,)* }

        /// All classes, each at its index.
        pub static ALL: [&LockClass; [$(Index::$name as usize),*].len()] = [$(&$name),*];
    };
    (@nests) => { false };
    (@nests nests) => { true };
}

classes! {
    /// Position of an open file: held around a whole read, write or directory listing.
    FILE_POSITION = 2;
    /// The text of an open generated file, held around its generator.
    FILE_BUFFER = 3;
    /// The kernel's own code, while it is rewritten.
    CODE = 4;
    /// Creation and exit of tasks: parent/child links, groups, sessions.
    PROCESS_TREE = 5;
    /// What a process's relatives know of it; taken under `PROCESS_TREE`, one at a time.
    FAMILY = 6;
    /// The mount tree.
    MOUNT = 10;
    /// Renames between directories, one at a time a file system.
    RENAME = 15;
    /// A directory inode (taken parent before child, else by address).
    DIRECTORY = 20 nests;
    /// Additions of epoll instances to epoll instances.
    EPOLL_NESTING = 26;
    /// The interests of an epoll instance; outer instance before inner. Files are polled under it.
    EPOLL = 27 nests;
    /// An epoll item's registration.
    EPOLL_ITEM = 28;
    /// What an epoll item is to report.
    EPOLL_INTEREST = 29;
    /// Terminal state (termios, line buffer users). User memory is copied under it, so faults on mapped files come after.
    TTY = 35;
    /// The reader of a socket: user memory is copied under it.
    SOCKET_READ = 36;
    /// A pipe: user memory is copied under it. Two by address.
    PIPE = 37 nests;
    /// Data and size of an inode.
    INODE_DATA = 40 nests;
    /// The map of an address space.
    ADDRESS_SPACE = 50 nests;
    /// The address spaces with pages that may go: held while pages are taken from one of them, whose map is only tried for.
    LAZY_FREE = 51;
    /// A page or page-table page.
    PAGE = 60 nests;
    /// The table of one kind of IPC objects, while one is made or removed: a detach removes a segment under `ADDRESS_SPACE`.
    IPC_TABLE = 62;
    /// Interfaces, addresses and routes, while one change is made and told.
    NETWORK_CHANGE = 70;
    /// The state and queue of a socket; never two.
    SOCKET = 71;
    /// One semaphore set, message queue or shared memory segment; never two.
    IPC_OBJECT = 72;
    /// Names of sockets outside the file system.
    SOCKET_NAME = 73;
    /// Ports of netlink sockets, and who listens to which group.
    NETLINK_TABLE = 73;
    /// The bindings of some Internet ports; the last reference to a binding may go under a socket's lock.
    INET_PORT = 73;
    /// The list of connections in `TIME_WAIT` of one CPU, or what one of them keeps.
    INET_TIME_WAIT = 75;
    /// The entries of a directory that lives in memory.
    DIRECTORY_ENTRIES = 74;
    /// A hash bucket of futex waiters.
    FUTEX = 80 nests;
    /// The locks with priority inheritance that somebody waits for.
    FUTEX_PI = 81;
    /// Dentry tree and hash writers.
    DENTRY = 82 nests;
    /// Short leaf locks of tables (pid, inode number, ids).
    TABLE = 85;
    /// Terminal buffers filled by interrupts.
    TTY_BUFFER = 88;
    /// State of a timer file.
    TIMER_FILE = 89;
    /// A wait queue's list.
    WAIT_QUEUE = 90;
    /// The wait queue of an epoll instance, woken from another queue's wake-up: the watched instance's before the watcher's.
    EPOLL_WAIT_QUEUE = 92 nests;
    /// The ready list of an epoll instance: reached from wake-ups, let go before the instance's own waiters are woken.
    EPOLL_READY = 94;
    /// The threads of a process.
    THREADS = 95;
    /// Signal state of a process.
    SIGNAL = 100;
    /// The setting of a process's interval timer.
    INTERVAL_TIMER = 101;
    /// Signal queue of a thread.
    SIGNAL_TASK = 102;
    /// What a CPU-time interval timer has left.
    INTERVAL_TIMER_STATE = 103;
    /// Table of signal actions.
    SIGNAL_HANDLERS = 104;
    /// Counts of queued signals a user.
    SIGNAL_COUNT = 106;
    /// The waiters of a sleeping lock.
    LOCK_WAITERS = 107;
    /// The POSIX timers of a process; under its signals' lock when a timer's signal is taken.
    POSIX_TIMERS = 103;
    /// A POSIX timer's setting.
    POSIX_TIMER_STATE = 104;
    /// Whom an alarm wakes.
    SLEEP_ALARM = 106;
    /// The right to wake one task, or to change its priority or affinity.
    TASK_WAKE = 108;
    /// Whose next period a timer begins (`SCHED_DEADLINE`).
    NEXT_PERIOD = 109;
    /// The rate of the clocks.
    CLOCK_STEERING = 109;
    /// A run queue (two: by CPU number).
    RUN_QUEUE = 110 nests;
    /// Who is admitted to `SCHED_DEADLINE`.
    ADMISSION = 111;
    /// A task's own cells (address space, descriptors), while a reference is taken.
    TASK_CELL = 112;
    /// Callbacks that wait for a grace period on one CPU.
    RCU = 113;
    /// Load averages.
    LOAD = 114;
    /// Writers of sequence-counted data.
    SEQUENCE = 115;
    /// A timer base.
    TIMER = 120;
    /// A slab cache's node.
    SLAB = 130;
    /// A buddy allocator's node.
    FRAME = 140;
    /// The kernel log's records: taken under any lock, as anybody may print.
    KERNEL_LOG = 145;
    /// The random number generator.
    RANDOM = 147;
    /// Registers of the battery-backed clock.
    CLOCK_CHIP = 149;
    /// Serial port registers.
    SERIAL = 150;
}
