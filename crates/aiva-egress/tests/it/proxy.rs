//! The proxy over real sockets on loopback: what goes through, what does not, and what is left afterwards.

mod doors;
mod endings;
mod requests;
mod scene;
mod tunnels;
