//! Processes: fork, clone, execve, exit, wait, prctl, rlimits, groups and sessions.

use super::table::calls;

calls! {}
