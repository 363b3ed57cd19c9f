//! The fleet server: ingest, registry, REST API and dashboard, and the embedded database and broker it starts when it
//! is not told to use others.
//!
//! [`run`] assembles everything; a reading enters through the broker and ends in PostgreSQL, from where the pages and
//! the API read it.

pub mod api;
pub mod certificate;
pub mod cli;
mod client;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod ddi;
pub mod deployments;
pub mod embedded;
pub mod endpoints;
pub mod https;
pub mod ingest;
pub mod ledger;
pub mod live;
pub mod mqtt;
pub mod operator;
pub mod registry;
pub mod rejections;
pub mod releases;
pub mod rollouts;
pub mod router;
pub mod run;
pub mod state;
pub mod tags;
pub mod targets;
pub mod telemetry;
pub mod time;
pub mod tls;
pub mod web;
