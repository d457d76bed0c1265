//! Clocks, sleeping and timers.

use super::table::calls;

calls! {}
