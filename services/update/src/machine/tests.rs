//! The machine against a model of the world: slots, a boot loader, RAUC, a server.

#![allow(clippy::unwrap_used)]

mod properties;
mod stories;
mod world;
