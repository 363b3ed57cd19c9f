//! The fleet server: ingest, registry, REST API and dashboard, and the embedded database and broker it starts when it
//! is not told to use others.
//!
//! [`run`] assembles everything; a reading enters through the broker and ends in PostgreSQL, from where the pages and
//! the API read it.

pub mod certificate;
pub mod cli;
pub mod config;
pub mod data_dir;
pub mod embedded;
pub mod endpoints;
pub mod run;
pub mod tls;
