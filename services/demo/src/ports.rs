//! Which ports the server gets.

use crate::Reporter;
use anyhow::Context;
use std::net::{Ipv4Addr, TcpListener};

/// The dashboard's port when it is free.
const HTTP: u16 = 4000;
/// The broker's port when it is free.
const MQTTS: u16 = 8883;

/// The ports on 127.0.0.1, chosen once so that a server that is restarted is found again by its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Dashboard and API.
    pub http: u16,
    /// Broker.
    pub mqtts: u16,
}

impl Ports {
    /// The usual ports; one that is taken is replaced by a free one, and the reporter says so.
    ///
    /// # Errors
    /// No port is free.
    pub fn usual(reporter: &dyn Reporter) -> anyhow::Result<Self> {
        let choose = |port, what| {
            if is_free(port) {
                return Ok(port);
            }
            let other = free_port()?;
            reporter.say(&format!("port {port} is taken: {what} gets {other} instead"));
            anyhow::Ok(other)
        };
        Ok(Self { http: choose(HTTP, "the dashboard")?, mqtts: choose(MQTTS, "the broker")? })
    }

    /// Any free ports.
    ///
    /// # Errors
    /// No port is free.
    pub fn any() -> anyhow::Result<Self> {
        Ok(Self { http: free_port()?, mqtts: free_port()? })
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that is free now; the kernel hands out another one each time.
///
/// # Errors
/// None is.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port on 127.0.0.1 is free")?;
    Ok(listener.local_addr().context("a listener without an address")?.port())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_port_is_free_until_someone_listens_on_it() {
        let port = free_port().unwrap();
        assert!(is_free(port));
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
    }
}
