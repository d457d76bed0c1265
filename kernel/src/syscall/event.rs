//! Event files: eventfd, signalfd, timerfd, memfd, inotify.

use super::table::calls;

calls! {}
