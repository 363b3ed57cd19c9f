//! What can go wrong between the device and the server.

use reqwest::{StatusCode, Url};
use std::{io, path::PathBuf};

/// Why the server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum DdiError {
    /// A file of the device's identity can't be used.
    #[error("{}: {problem}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// The client can't be set up.
    #[error("set up the HTTP client: {0}")]
    Setup(String),
    /// No connection, no TLS, no answer in time.
    #[error("{method} {url}: {}", causes(source))]
    Unreachable {
        /// What was asked.
        method: &'static str,
        /// Where.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// The server answered with an error.
    #[error("{method} {url}: the server answered {status}{}", advice(*status))]
    Status {
        /// What was asked.
        method: &'static str,
        /// Where.
        url: Url,
        /// The answer.
        status: StatusCode,
    },
    /// The server answered something else than the API says.
    #[error("GET {url}: {problem}")]
    Invalid {
        /// Where.
        url: Url,
        /// What was expected, and found.
        problem: String,
    },
}

impl DdiError {
    /// Whether the server was reached and does not want what was sent: sending it again changes nothing. A missing right
    /// or a busy server is something else.
    pub fn is_refusal(&self) -> bool {
        let temporary = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        matches!(self, Self::Status { status, .. } if status.is_client_error() && !temporary.contains(status))
    }

    pub(super) fn identity(path: &std::path::Path, error: &io::Error) -> Self {
        let problem =
            format!("cannot be read: {error}; the device's identity belongs there, or set the path in [update]");
        Self::Identity { path: path.to_owned(), problem }
    }
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; it does not accept this device's certificate or token for this controller and tenant"
        }
        StatusCode::NOT_FOUND => "; it does not know this controller or tenant",
        _ => "",
    }
}

/// An error with its causes: reqwest's own text leaves out the one that matters.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    texts.join(": ")
}
