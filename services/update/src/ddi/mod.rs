//! Eclipse hawkBit's Direct Device Integration API, version 1, the client's side:
//! `{server}/{tenant}/controller/v1/{controller}` (<https://eclipse.dev/hawkbit/rest-api/ddi/>).

mod client;
mod download;
mod error;
mod feedback;
mod messages;
mod tls;

pub use client::{Client, Credentials, Poll};
pub use download::{Download, DownloadError};
pub use error::DdiError;
pub use feedback::Feedback;
