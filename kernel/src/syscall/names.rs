//! Names in the tree: open, stat, mkdir, rename, link, mount, chdir and their *at forms.

use super::table::calls;

calls! {}
