//! Why a change was refused: the error, and what netlink says beside it to who asked to be told (`NETLINK_EXT_ACK`).

use abi::Errno;

/// What a change gives.
pub type Outcome<T> = Result<T, Refusal>;

/// A refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The error.
    pub errno: Errno,
    /// Linux's words for it.
    pub text: Option<&'static str>,
    /// Where in the message the attribute is that it is about.
    pub offset: Option<usize>,
}

impl Refusal {
    /// An error with words.
    pub const fn new(errno: Errno, text: &'static str) -> Refusal {
        Refusal { errno, text: Some(text), offset: None }
    }

    /// The same about the attribute at `offset` of the message.
    pub const fn at(self, offset: usize) -> Refusal {
        Refusal { offset: Some(offset), ..self }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Refusal {
        Refusal { errno, text: None, offset: None }
    }
}

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Errno {
        refusal.errno
    }
}
