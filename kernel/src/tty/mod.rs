//! Terminals: the line discipline's kernel side, serial terminals, pseudo-terminals.
#![forbid(unsafe_code)]

/// A terminal: line discipline, size, foreground process group.
pub struct Terminal(());
