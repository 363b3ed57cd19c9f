//! Calls RAUC.

use super::{BundleAccess, BundleInfo, Slot, dictionary::Dictionary};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use zbus::{Connection, OwnedVariant, Type, Variant, proxy, proxy::CacheProperties};

/// How far an installation is: `(isi)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type, OwnedVariant, Variant)]
pub struct Progress {
    /// Percent of the whole.
    pub percentage: i32,
    /// What is being done.
    pub message: String,
    /// How deep that step is nested in others.
    pub depth: i32,
}

/// Calls RAUC. Properties are always asked for: see [`InstallerProxy::uncached`].
#[proxy(interface = "de.pengutronix.rauc.Installer", default_service = "de.pengutronix.rauc", default_path = "/")]
pub trait Installer {
    /// Starts an installation; the answer comes at once, the result as the signal `Completed`.
    #[zbus(name = "InstallBundle")]
    fn install_with(&self, source: &str, args: HashMap<&str, Variant<'_>>) -> Result<()>;

    /// Verifies a bundle's signature and reads its manifest. RAUC 1.9 and later.
    #[zbus(name = "InspectBundle")]
    fn inspect_with(&self, source: &str, args: HashMap<&str, Variant<'_>>) -> Result<HashMap<String, OwnedVariant>>;

    /// The same in older versions: compatible and version, of a local file.
    #[zbus(name = "Info")]
    fn info(&self, bundle: &str) -> Result<(String, String)>;

    /// Marks a slot (`booted`, `other` or its name) as `good`, `bad` or `active`; returns its name and what was done.
    fn mark(&self, state: &str, slot: &str) -> Result<(String, String)>;

    /// Every slot with its status.
    #[zbus(name = "GetSlotStatus")]
    fn slot_status(&self) -> Result<Vec<(String, HashMap<String, OwnedVariant>)>>;

    /// The name of the slot that the boot loader will start next.
    #[zbus(name = "GetPrimary")]
    fn primary(&self) -> Result<String>;

    /// An installation has ended: 0 is success, otherwise `LastError` says why.
    #[zbus(signal)]
    fn completed(&self, result: i32) -> zbus::Result<()>;

    /// `idle` or `installing`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn operation(&self) -> Result<String>;

    /// Why the last installation failed; empty when it did not.
    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> Result<String>;

    /// How far the present installation is.
    #[zbus(property(emits_changed_signal = "false"))]
    fn progress(&self) -> Result<Progress>;

    /// What bundles this device takes.
    #[zbus(property(emits_changed_signal = "false"))]
    fn compatible(&self) -> Result<String>;

    /// What was booted, as the boot loader calls it.
    #[zbus(property(emits_changed_signal = "false"))]
    fn boot_slot(&self) -> Result<String>;
}

impl InstallerProxy<'static> {
    /// The proxy to use. zbus's property cache, which `new` sets up, would not notice that RAUC was restarted.
    ///
    /// # Errors
    /// When the connection is gone; that RAUC is absent shows at the first call.
    pub async fn uncached(connection: &Connection) -> zbus::Result<Self> {
        Self::builder(connection).cache_properties(CacheProperties::No).build().await
    }
}

impl InstallerProxy<'_> {
    /// Every slot with its status, in the order of the names.
    ///
    /// # Errors
    /// When RAUC is absent, or busy with an installation.
    pub async fn slots(&self) -> Result<Vec<Slot>> {
        let mut slots: Vec<Slot> =
            self.slot_status().await?.into_iter().map(|(name, status)| Slot::new(name, Dictionary(status))).collect();
        slots.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(slots)
    }

    /// Verifies a bundle and reads its manifest; `source` is a path or an URL.
    ///
    /// # Errors
    /// What is wrong with the bundle or with the way to it, in RAUC's words.
    pub async fn inspect(&self, source: &str, access: &BundleAccess) -> Result<BundleInfo> {
        match self.inspect_with(source, access.to_args()).await {
            Ok(info) => Ok(BundleInfo::new(Dictionary(info))),
            Err(error) if is_unknown_method(&error) => {
                let (compatible, version) = self.info(source).await?;
                Ok(BundleInfo { compatible, version, ..BundleInfo::default() })
            }
            Err(error) => Err(error),
        }
    }

    /// Starts the installation of a bundle; `source` is a path or an URL.
    ///
    /// # Errors
    /// When RAUC is absent, or busy already.
    pub async fn install(&self, source: &str, access: &BundleAccess) -> Result<()> {
        self.install_with(source, access.to_args()).await
    }
}

fn is_unknown_method(error: &Error) -> bool {
    match error {
        Error::Bus(zbus::Error::FDO(error)) => matches!(**error, zbus::fdo::Error::UnknownMethod(_)),
        Error::Bus(zbus::Error::MethodError(name, ..)) => name.as_str() == "org.freedesktop.DBus.Error.UnknownMethod",
        _ => false,
    }
}
