//! Internet sockets, what needs no kernel: which bindings of a port conflict and in which order ports are tried ([`ports`]), the
//! hash of a connection's four numbers ([`flow`]), and what a datagram costs a receive buffer ([`true_size`]).
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod flow;
pub mod ports;
mod size;

pub use size::true_size;
