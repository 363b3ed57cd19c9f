//! Which ports the server gets.

use anyhow::Context;
use std::net::{Ipv4Addr, TcpListener};

/// Where free ports are looked for: above the well-known ones, below those that Linux gives to outgoing connections
/// (ip(7), `ip_local_port_range`), any of which may take a port before its server does.
const FREE: std::ops::Range<u16> = 10_000..32_000;
/// So many ports are tried.
const ATTEMPTS: usize = 100;

/// Ports on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Dashboard and API.
    pub http: u16,
    /// Broker.
    pub mqtts: u16,
}

impl Ports {
    /// Any free ports.
    ///
    /// # Errors
    /// No port is free.
    pub fn any() -> anyhow::Result<Self> {
        Ok(Self { http: free_port()?, mqtts: free_port()? })
    }
}

/// A port that is free now, chosen by chance so that programs that choose at the same time choose differently.
///
/// # Errors
/// None is.
pub fn free_port() -> anyhow::Result<u16> {
    let by_chance = || FREE.start + (uuid::Uuid::new_v4().as_u128() % u128::from(FREE.end - FREE.start)) as u16;
    std::iter::repeat_with(by_chance)
        .take(ATTEMPTS)
        .find(|port| is_free(*port))
        .with_context(|| format!("none of {ATTEMPTS} ports on 127.0.0.1 is free"))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
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
