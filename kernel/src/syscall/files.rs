//! Open files: read, write, lseek, truncate, sync, sendfile, splice, stat by descriptor.

use super::table::calls;

calls! {}
