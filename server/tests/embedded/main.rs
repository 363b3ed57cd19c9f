//! The embedded database and broker, with the real programs: the server is started as a process of its own, on data
//! folders of its own. Runs as root and as an ordinary user.
#![allow(clippy::unwrap_used)]

mod access;
mod certificates;
mod external;
mod identity;
mod lifecycle;
mod mqtt;
mod ports;
mod recovery;
mod server;
