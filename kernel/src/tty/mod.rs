//! Terminals: the line discipline's kernel side, serial terminals, pseudo-terminals.
#![forbid(unsafe_code)]

/// A terminal: line discipline, size, foreground process group.
pub struct Terminal(());

/// The leader of `session` exits: the session loses its terminal, the foreground group gets SIGHUP.
pub fn session_leader_exits(_session: &alloc::sync::Arc<crate::process::Session>) {
    todo!()
}
