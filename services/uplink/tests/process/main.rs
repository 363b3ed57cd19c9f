//! The uplink as a process, between a real broker (mosquitto) and a real bus (dbus-daemon).
#![allow(clippy::unwrap_used)]

mod broker;
mod bus;
mod commands;
mod configuration;
mod delivery;
mod lifecycle;
mod listener;
mod pki;
mod refusals;
mod stages;
mod uplink;
mod wait;
