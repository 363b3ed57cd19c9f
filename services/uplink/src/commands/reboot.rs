//! Rebooting, by systemd-logind (org.freedesktop.login1(5)): it ends every service in order, this one too, which
//! delivers its answers before it ends.

use microkernel_bus::Error;
use microkernel_bus::zbus::{self, Connection, Proxy};

const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const INTERFACE: &str = "org.freedesktop.login1.Manager";

/// Asks for a reboot; it begins after this has returned. The error is the reason and the remedy.
pub(super) async fn request(bus: &Connection) -> Result<(), String> {
    // Not interactive: there is nobody to enter a password.
    let asked = async { Proxy::new(bus, NAME, PATH, INTERFACE).await?.call::<_, _, ()>("Reboot", &false).await };
    asked.await.map_err(|error: zbus::Error| match Error::from(error) {
        error if error.is_absent() => {
            "systemd-logind is not on this device's bus, and nothing else may reboot it".to_owned()
        }
        error => format!("systemd-logind does not reboot the device: {error}; may this service's user do it (polkit)?"),
    })
}
