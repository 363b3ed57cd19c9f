//! `org.freedesktop.systemd1`: the part of the service manager that the device's services use.

use crate::Result;
use zbus::{Connection, OwnedObjectPath, proxy, proxy::CacheProperties};

/// Calls the service manager (`org.freedesktop.systemd1(5)`).
#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub trait Systemd {
    /// The object of a unit that is loaded; an error when it is not.
    fn get_unit(&self, name: &str) -> Result<OwnedObjectPath>;
}

/// One unit.
#[proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
pub trait Unit {
    /// `active`, `inactive`, `failed`, `activating` and so on.
    #[zbus(property(emits_changed_signal = "false"))]
    fn active_state(&self) -> Result<String>;
}

impl SystemdProxy<'static> {
    /// The proxy to use.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}

impl SystemdProxy<'_> {
    /// Whether a unit is active. One that is not loaded is not.
    ///
    /// # Errors
    /// When the service manager can't be asked.
    pub async fn is_active(&self, unit: &str) -> Result<bool> {
        let path = match self.get_unit(unit).await {
            Ok(path) => path,
            Err(crate::Error::Bus(zbus::Error::MethodError(name, ..))) if name.ends_with(".NoSuchUnit") => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let connection = self.inner().connection();
        let unit = UnitProxy::builder(connection).path(path).cache_properties(CacheProperties::No).build().await?;
        Ok(unit.active_state().await? == "active")
    }
}
