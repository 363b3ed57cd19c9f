//! `org.freedesktop.login1`: the part of systemd-logind that the device's services use.

use crate::Result;
use zbus::{Connection, proxy, proxy::CacheProperties};

/// Calls systemd-logind (`org.freedesktop.login1(5)`).
#[proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
pub trait Logind {
    /// Ends every service in order and reboots; `interactive` lets the user be asked for a password.
    fn reboot(&self, interactive: bool) -> Result<()>;
}

impl LogindProxy<'static> {
    /// The proxy to use.
    ///
    /// # Errors
    /// When the connection is gone; that logind is absent shows at the first call.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}
