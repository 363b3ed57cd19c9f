//! Ingest, API, live events and commands, with a real PostgreSQL and a real mosquitto that each test starts for itself.
//! Runs as root and as an ordinary user.
#![allow(clippy::unwrap_used)]

mod api;
mod bad_input;
mod commands;
mod device;
mod events;
mod exactly_once;
mod outage;
mod proxy;
mod status;
mod world;
