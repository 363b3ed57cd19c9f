//! Releases, the devices' API and rollouts, with a real PostgreSQL, a real broker, bundles made by the real `rauc`, and
//! devices that ask over real HTTPS with client certificates. Runs as root and as an ordinary user.
#![allow(clippy::unwrap_used)]

mod artifacts;
mod bundles;
mod command_line;
mod ddi;
mod ddi_access;
mod description;
mod device;
mod https;
mod nudge;
mod pages;
#[path = "../embedded/server.rs"]
#[allow(dead_code, reason = "it serves other tests, too")]
mod program;
mod releases;
mod rollouts;
mod s3;
mod simulation;
mod tags;
mod world;
