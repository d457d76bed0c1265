//! Address spaces: mmap, munmap, mprotect, brk, mremap, madvise and their family.

use super::table::calls;

calls! {}
