//! Signals: rt_sig*, kill and its family, sigaltstack.

use super::table::calls;

calls! {}
