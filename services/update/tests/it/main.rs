//! The agent as a process, on a private message bus, with a DDI server over HTTPS that wants client certificates, and with a
//! scripted RAUC or the real one.

#![allow(clippy::unwrap_used)]

mod bad_server;
mod goosebit;
mod power_loss;
mod real_rauc;
mod support;
mod updates;
