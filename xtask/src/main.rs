//! The host program behind the Makefile.
fn main() {}
