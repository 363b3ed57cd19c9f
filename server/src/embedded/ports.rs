//! Choosing the ports: the one that was asked for, else the one of last time, else the default, else any free one.

use crate::config::Requested;
use crate::data_dir::write_at_once;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// The ports that were used last on a data folder; devices and bookmarks name them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Of the dashboard and the API.
    pub http: Option<u16>,
    /// Of the embedded broker.
    pub mqtts: Option<u16>,
}

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The one that was asked for is in use.
    #[error(
        "{flag} {address}: the port is taken{holder}; end what uses it, choose another port, or leave {flag} out and a free one is taken"
    )]
    Taken {
        /// The flag that asked for it.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// Who uses it, if known, as a clause.
        holder: String,
    },
    /// It can't be used.
    #[error("{flag} {address} can't be used: {cause}")]
    Unusable {
        /// The flag that asks for it.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
}

impl Ports {
    /// What is remembered in a data folder; nothing if that can't be read.
    pub fn load(data_dir: &Path) -> Self {
        let text = std::fs::read(data_dir.join("ports.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Remembers the ports.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(&self, data_dir: &Path) -> io::Result<()> {
        write_at_once(&data_dir.join("ports.json"), &serde_json::to_vec(self)?, 0o644)
    }
}

/// Takes a port for `what`, which `flag` could have asked for. Port 0 asks for any free one.
///
/// # Errors
/// [`PortError`]: an explicit port is taken; no port can be had at all.
pub fn bind(
    what: &str,
    flag: &'static str,
    asked: Requested<SocketAddr>,
    remembered: Option<u16>,
) -> Result<TcpListener, PortError> {
    match asked {
        Requested::Explicit(address) => TcpListener::bind(address).map_err(|cause| match cause.kind() {
            io::ErrorKind::AddrInUse => PortError::Taken { flag, address, holder: by_whom(address.port()) },
            _ => PortError::Unusable { flag, address, cause },
        }),
        Requested::Default(address) => {
            let wanted = remembered.unwrap_or(address.port());
            let bind = |port| TcpListener::bind(SocketAddr::new(address.ip(), port));
            let listener = bind(wanted)
                .or_else(|_| bind(address.port()))
                .or_else(|_| bind(0))
                .map_err(|cause| PortError::Unusable { flag, address, cause })?;
            let port = listener.local_addr().map_err(|cause| PortError::Unusable { flag, address, cause })?.port();
            if port != wanted {
                tracing::warn!("port {wanted} is taken{}: {what} uses port {port} instead", by_whom(wanted));
            }
            Ok(listener)
        }
    }
}

/// `" by process 12 (nginx)"` if the holder of a port can be seen, else nothing.
fn by_whom(port: u16) -> String {
    listening_socket(port)
        .and_then(|socket| process_with(&format!("socket:[{socket}]")))
        .map(|process| format!(" by {process}"))
        .unwrap_or_default()
}

/// The inode of the TCP socket that listens on a port (proc(5), `/proc/net/tcp`).
fn listening_socket(port: u16) -> Option<String> {
    let (suffix, listening) = (format!(":{port:04X}"), "0A");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let matches = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == listening;
            matches.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
    })
}

/// A process that holds the file, as `process 12 (nginx)`.
fn process_with(link: &str) -> Option<String> {
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        // Not `/proc/self`.
        let id: u32 = process.file_name().to_str()?.parse().ok()?;
        let holds = |file: std::fs::DirEntry| file.path().read_link().is_ok_and(|target| target.as_os_str() == link);
        std::fs::read_dir(process.path().join("fd")).ok()?.flatten().any(holds).then_some(())?;
        let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
        Some(format!("process {id} ({})", name.trim()))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::Ipv4Addr;

    fn loopback(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    #[test]
    fn an_explicit_port_that_is_taken_is_refused_and_its_holder_named() {
        let holder = TcpListener::bind(loopback(0)).unwrap();
        let address = holder.local_addr().unwrap();
        let error = bind("x", "--http", Requested::Explicit(address), None).unwrap_err().to_string();
        assert!(error.contains(&format!("--http {address}")), "{error}");
        assert!(error.contains(&format!("by process {} (", std::process::id())), "{error}");
    }

    #[test]
    fn a_default_port_that_is_taken_is_replaced() {
        let holder = TcpListener::bind(loopback(0)).unwrap();
        let taken = holder.local_addr().unwrap();
        let free = bind("x", "--http", Requested::Default(taken), None).unwrap();
        assert_ne!(free.local_addr().unwrap().port(), taken.port());
        assert!(free.local_addr().unwrap().ip().is_loopback());
    }

    #[test]
    fn the_port_of_last_time_comes_before_the_default() {
        let port = TcpListener::bind(loopback(0)).unwrap().local_addr().unwrap().port();
        let default = loopback(4000);
        let listener = bind("x", "--http", Requested::Default(default), Some(port)).unwrap();
        assert_eq!(listener.local_addr().unwrap().port(), port);
    }

    #[test]
    fn ports_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ports::load(folder.path()), Ports::default());
        let ports = Ports { http: Some(4001), mqtts: None };
        ports.save(folder.path()).unwrap();
        assert_eq!(Ports::load(folder.path()), ports);
    }
}
