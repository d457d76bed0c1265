//! Scheduling: sched_*, priorities, affinity, yield.

use super::table::calls;

calls! {}
