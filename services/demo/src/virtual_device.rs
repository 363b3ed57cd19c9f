//! The virtual device: the whole operating system in QEMU, from the boot loader to the services, on the network of this
//! machine. It is started last and keeps nothing waiting; what becomes of it is only reported.

mod boot_log;
mod image;

use crate::{Fleet, Program, Reporter, Running, Stage};
use anyhow::{Context, bail};
use boot_log::BootLog;
use clap::ValueEnum;
use image::Image;
use microkernel_wire::DeviceId;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// The address of this machine in QEMU's user network, and so the name by which the device knows the server.
pub(crate) const HOST: &str = "10.0.2.2";
/// The device's name.
const NAME: &str = "virtual-001";
/// How often its console is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Whether there is to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// If QEMU is installed, and the image has been built or can be
    Auto,
    /// Yes: otherwise it is an error
    On,
    /// No
    Off,
}

/// A virtual device that can be started.
#[derive(Debug)]
pub struct VirtualDevice {
    image: Image,
}

impl VirtualDevice {
    /// The virtual device, if it is wanted and possible; where it would be wanted and is not possible, that is reported.
    /// `images` is the source's folder of that name.
    ///
    /// # Errors
    /// It is asked for and not possible.
    pub fn choose(wanted: Wanted, images: &Path, reporter: &dyn Reporter) -> anyhow::Result<Option<Self>> {
        if wanted == Wanted::Off {
            return Ok(None);
        }
        match Image::find(images) {
            Ok(image) => Ok(Some(Self { image })),
            Err(obstacle) if wanted == Wanted::On => bail!("there is no virtual device: {obstacle}"),
            Err(obstacle) => {
                reporter.say(&format!("no virtual device: {obstacle}"));
                Ok(None)
            }
        }
    }

    /// What the server has to be told for it: by which address it is reached, and who signs bundles.
    pub fn server_arguments(&self) -> Vec<OsString> {
        vec!["--public-name".into(), HOST.into(), "--bundle-keyring".into(), self.image.keyring().into()]
    }

    /// Builds the image where there is none, boots it, and reports what it does; never ends by itself.
    pub async fn accompany(&self, fleet: &Fleet, running: &Running) {
        let say = |line: &str| fleet.reporter().say(&format!("{NAME}  {line}"));
        if let Err(error) = self.run(fleet, running, &say).await {
            say(&format!("is not there: {error:#}"));
        }
        std::future::pending().await
    }

    async fn run(&self, fleet: &Fleet, running: &Running, say: &impl Fn(&str)) -> anyhow::Result<()> {
        let layout = fleet.layout();
        self.image.build(&layout.log("image"), say).await?;

        let id: DeviceId = NAME.parse()?;
        let folders = layout.create_device(&id)?;
        running.server.issue_certificate(&id, &folders.identity).await?;
        let config = folders.config.join("device.toml");
        std::fs::write(&config, configuration(running)?)
            .with_context(|| format!("{} was not written", config.display()))?;
        let program = Program {
            name: NAME.to_owned(),
            program: self.image.run_program(),
            arguments: vec![NAME.into()],
            environment: vec![
                ("DISK", folders.state.join("disk.qcow2").into()),
                ("CONFIG", config.into()),
                ("IDENTITY", folders.identity.into()),
            ],
            log: layout.log(NAME),
            leftovers: vec![],
        };
        say(&format!("boots; that takes one to three minutes. Its console: {}", program.log.display()));
        // What the console said in an earlier demo is no news.
        program.begin_log().with_context(|| format!("{} can't be set aside", program.log.display()))?;
        let mut console = BootLog::at(program.log.clone());
        fleet.supervisor().start(Stage::VirtualDevice, program);
        loop {
            console.news().iter().for_each(|news| say(news));
            sleep(LOOK_INTERVAL).await;
        }
    }
}

/// The topmost layer of its configuration.
fn configuration(running: &Running) -> anyhow::Result<String> {
    let (_, broker_port) = running.endpoints.broker()?;
    let https_port = running.endpoints.https.rsplit(':').next().context("the server's HTTPS address has no port")?;
    Ok(format!(
        "[device]\nid = \"{NAME}\"\n\n[mqtt]\nhost = \"{HOST}\"\nport = {broker_port}\n\n\
         [update]\nserver = \"https://{HOST}:{https_port}\"\n"
    ))
}
