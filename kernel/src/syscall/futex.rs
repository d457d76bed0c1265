//! Futexes and robust lists (`futex(2)`).

use super::table::calls;

calls! {}
