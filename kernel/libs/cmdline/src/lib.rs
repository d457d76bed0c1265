//! The kernel command line, parsed as Linux parses it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
