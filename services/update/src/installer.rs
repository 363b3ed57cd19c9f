//! RAUC, as the agent uses it: each call answers with the machine's event.

use crate::machine::{Device, Event, Failure};
use futures_util::StreamExt;
use microkernel_bus::{
    Error,
    rauc::{BundleAccess, CompletedStream, InstallerProxy, SlotState},
    systemd::SystemdProxy,
    zbus::{self, Connection, DBusError, fdo},
};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// How long RAUC and the service manager may take, together, to say what the device is.
const DEVICE_DEADLINE: Duration = Duration::from_secs(20);
/// How often RAUC is asked how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// So often in a row RAUC must be idle, or give no answer, until the end of the installation counts as missed: the signal
/// is sent just before it becomes idle.
const MISSED_AFTER: u32 = 6;
/// The unit that marks the running slot good, when the health check has passed.
const CONFIRM_UNIT: &str = "device-confirm.service";
/// What RAUC's messages have in common that are about the bundle, and not about the way to it.
const ABOUT_THE_BUNDLE: [&str; 8] =
    ["signature", "compatible", "verif", "manifest", "certificate", "not supported", "bundle format", "version"];
/// But these are about the way to it: its TLS certificate, for one.
const ABOUT_THE_WAY: [&str; 5] = ["ssl", "tls", "curl", "stream", "nbd"];

/// RAUC on the bus, and the service manager, which knows whether the slot was confirmed.
#[derive(Debug, Clone)]
pub struct Installer {
    rauc: InstallerProxy<'static>,
    systemd: SystemdProxy<'static>,
}

impl Installer {
    /// Calls through this connection.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn new(connection: &Connection) -> Result<Self, Error> {
        let (rauc, systemd) = (InstallerProxy::uncached(connection).await?, SystemdProxy::uncached(connection).await?);
        Ok(Self { rauc, systemd })
    }

    /// What the device is at this moment. While RAUC installs it can't be asked: then `known` is what holds of the slots.
    ///
    /// # Errors
    /// When RAUC or the service manager gives no answer, or RAUC is busy and nothing is `known`.
    pub async fn device(&self, known: &Device) -> Result<Device, Error> {
        let hangs = |_| Error::Unavailable(format!("no answer within {DEVICE_DEADLINE:?}"));
        timeout(DEVICE_DEADLINE, self.ask_device(known)).await.map_err(hangs)?
    }

    async fn ask_device(&self, known: &Device) -> Result<Device, Error> {
        let installing = self.rauc.operation().await? != "idle";
        let confirmed = self.systemd.is_active(CONFIRM_UNIT).await?;
        if installing && !known.slots.is_empty() {
            return Ok(Device { installing, confirmed, ..known.clone() });
        }
        let slots = self.rauc.slots().await?;
        // A boot loader that has no primary slot is an error to RAUC.
        let primary = self.rauc.primary().await.ok();
        let compatible = self.rauc.compatible().await?;
        let booted = slots.iter().find(|slot| slot.state == SlotState::Booted);
        let version = match &known.version {
            version if version.is_empty() => booted.and_then(|slot| slot.version.clone()).unwrap_or_default(),
            version => version.clone(),
        };
        Ok(Device { compatible, version, boot: known.boot.clone(), slots, primary, installing, confirmed })
    }

    /// Makes the running slot the one to boot next time.
    ///
    /// # Errors
    /// When RAUC is absent, busy, or can't.
    pub async fn keep_running_slot(&self) -> Result<(), Error> {
        self.rauc.mark("active", "booted").await.map(drop)
    }

    /// Verifies a bundle and reads its manifest.
    pub async fn check(self, source: String, access: BundleAccess) -> Event {
        Event::Checked(self.rauc.inspect(&source, &access).await.map_err(|error| failure(&error)))
    }

    /// Installs a bundle.
    pub async fn install(self, source: String, access: BundleAccess, progress: watch::Sender<u32>) -> Event {
        let completed = match self.rauc.receive_completed().await {
            Ok(completed) => completed,
            Err(error) => return Event::Finished(Err(failure(&Error::Bus(error)))),
        };
        if let Err(error) = self.rauc.install(&source, &access).await {
            return Event::Finished(Err(failure(&error)));
        }
        self.until_completed(completed, progress).await
    }

    /// Watches the installation that RAUC is at.
    pub async fn watch(self, progress: watch::Sender<u32>) -> Event {
        match self.rauc.receive_completed().await {
            Ok(completed) => self.until_completed(completed, progress).await,
            Err(_) => Event::LostTrack,
        }
    }

    /// An installation takes as long as it takes: over a slow link, hours. What has a deadline is each question to RAUC.
    async fn until_completed(&self, mut completed: CompletedStream, progress: watch::Sender<u32>) -> Event {
        let mut missed = 0;
        while missed < MISSED_AFTER {
            match timeout(PROGRESS_INTERVAL, completed.next()).await {
                Ok(Some(signal)) => {
                    let is_success = signal.args().is_ok_and(|args| args.result == 0);
                    let result = if is_success { Ok(()) } else { Err(self.last_failure().await) };
                    self.until_idle(&progress).await;
                    return Event::Finished(result);
                }
                Ok(None) => return Event::LostTrack,
                Err(_) => missed = if self.is_installing(&progress).await { 0 } else { missed + 1 },
            }
        }
        Event::LostTrack
    }

    /// RAUC sends the signal before it is idle, and only then says what has become of the slots.
    async fn until_idle(&self, progress: &watch::Sender<u32>) {
        for _ in 0..MISSED_AFTER {
            if !self.is_installing(progress).await {
                return;
            }
            sleep(PROGRESS_INTERVAL).await;
        }
    }

    async fn is_installing(&self, progress: &watch::Sender<u32>) -> bool {
        if let Ok(now) = self.rauc.progress().await {
            progress.send_replace(now.percentage.clamp(0, 100).unsigned_abs());
        }
        self.rauc.operation().await.is_ok_and(|operation| operation != "idle")
    }

    async fn last_failure(&self) -> Failure {
        match self.rauc.last_error().await {
            Ok(message) if !message.is_empty() => refusal(&message),
            Ok(_) => Failure { reason: "RAUC does not say why the installation failed".to_owned(), is_final: false },
            Err(error) => failure(&error),
        }
    }
}

/// RAUC's answer is about the bundle or about the way to it; no answer at all is about RAUC.
fn failure(error: &Error) -> Failure {
    match error {
        Error::Bus(zbus::Error::MethodError(_, Some(message), _)) if !error.is_absent() => refusal(message),
        Error::Bus(zbus::Error::FDO(answer)) if matches!(**answer, fdo::Error::Failed(_)) => {
            refusal(answer.description().unwrap_or_default())
        }
        error => Failure { reason: format!("RAUC: {error}"), is_final: false },
    }
}

fn refusal(message: &str) -> Failure {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is_final = says(&ABOUT_THE_BUNDLE) && !says(&ABOUT_THE_WAY);
    Failure { reason: format!("RAUC: {}", message.trim()), is_final }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_bundle_is_not_tried_again() {
        for (message, is_final) in [
            ("signature verification failed: Verify error: self-signed certificate", true),
            ("Compatible mismatch: Expected 'a' but bundle manifest has 'b'", true),
            ("Failed to load manifest from bundle: Invalid key", true),
            ("Bundle format 'plain' not allowed", true),
            ("failed to start streaming: curl: SSL certificate problem", false),
            ("Failed updating slot rootfs.1: failed to write: Input/output error", false),
            ("Already processing a different method", false),
        ] {
            assert_eq!(refusal(message).is_final, is_final, "{message}");
        }
    }
}
