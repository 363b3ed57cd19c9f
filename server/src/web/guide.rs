//! What a newcomer without devices is told to type.

use serde::Serialize;
use std::path::PathBuf;

/// How a device gets in: where the broker listens and where certificates are made. The process that assembles the
/// server adds it to the router as an `Extension`; without it the page shows placeholders.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConnectionGuide {
    /// The broker's host name.
    pub mqtt_host: Option<String>,
    /// The broker's port (MQTT over TLS).
    pub mqtt_port: Option<u16>,
    /// The server's data folder, when it has a certificate authority of its own there.
    pub data_dir: Option<PathBuf>,
    /// The path of this program.
    pub program: Option<PathBuf>,
}
