//! What systemd serves on a device: logind, which would reboot this machine, and the service manager, which knows whether the
//! slot was confirmed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use zbus::{Connection, connection, fdo, interface};

const UNIT_PATH: &str = "/org/freedesktop/systemd1/unit/device_2dconfirm_2eservice";

/// Both, on one connection.
pub(crate) struct Services {
    confirmed: Arc<AtomicBool>,
    reboots: Arc<AtomicU32>,
    _connection: Connection,
}

impl Services {
    pub(crate) async fn serve(address: &str) -> Self {
        let (confirmed, reboots) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let connection = connection::Builder::address(address)
            .serve_at("/org/freedesktop/login1", Logind(reboots.clone()))
            .serve_at("/org/freedesktop/systemd1", Manager(confirmed.clone()))
            .serve_at(UNIT_PATH, Unit)
            .name("org.freedesktop.login1")
            .name("org.freedesktop.systemd1")
            .build()
            .await
            .unwrap();
        Self { confirmed, reboots, _connection: connection }
    }

    /// The health check has passed and the slot was marked good, or it is another boot.
    pub(crate) fn confirm(&self, confirmed: bool) {
        self.confirmed.store(confirmed, Ordering::SeqCst);
    }

    /// How often a reboot was asked for.
    pub(crate) fn reboots(&self) -> u32 {
        self.reboots.load(Ordering::SeqCst)
    }
}

struct Logind(Arc<AtomicU32>);

#[interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn reboot(&self, _interactive: bool) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Manager(Arc<AtomicBool>);

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.systemd1")]
enum ManagerError {
    #[zbus(error)]
    Bus(zbus::Error),
    NoSuchUnit(String),
}

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    /// systemd unloads a unit that never ran.
    fn get_unit(&self, name: &str) -> Result<zbus::ObjectPath<'static>, ManagerError> {
        if name == "device-confirm.service" && self.0.load(Ordering::SeqCst) {
            Ok(zbus::ObjectPath::from_static_str(UNIT_PATH).unwrap())
        } else {
            Err(ManagerError::NoSuchUnit(format!("Unit {name} not loaded.")))
        }
    }
}

struct Unit;

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl Unit {
    #[zbus(property)]
    fn active_state(&self) -> fdo::Result<String> {
        Ok("active".to_owned())
    }
}
