//! poll, select, epoll.

use super::table::calls;

calls! {}
