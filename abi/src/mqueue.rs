//! POSIX message queues: `<linux/mqueue.h>`.
#![expect(missing_docs, reason = "the names are the headers' own")]

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// One more than the highest priority.
pub const MQ_PRIO_MAX: u32 = 32768;
/// Bytes of the cookie of `SIGEV_THREAD`.
pub const NOTIFY_COOKIE_LEN: usize = 32;

/// `struct mq_attr`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct MqAttr {
    pub flags: i64,
    pub maxmsg: i64,
    pub msgsize: i64,
    pub curmsgs: i64,
    pub reserved: [i64; 4],
}

const _: () = assert!(size_of::<MqAttr>() == 64);
