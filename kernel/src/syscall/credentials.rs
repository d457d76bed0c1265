//! User and group ids, groups, capabilities (`credentials(7)`, `capabilities(7)`).

use super::table::calls;

calls! {}
