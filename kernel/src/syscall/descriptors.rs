//! Descriptors: close, dup, fcntl, ioctl, flock, pipe.

use super::table::calls;

calls! {}
