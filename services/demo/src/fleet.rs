//! The whole: a server and its devices.

use crate::{
    Device, DeviceEndpoint, Endpoints, Layout, Lock, Ports, Reporter, Server, ServerEndpoints, Supervisor, sibling,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use microkernel_wire::DeviceId;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// So many devices start at a time: more only compete for the processor.
const STARTING_AT_ONCE: usize = 4;
/// How long a device may take to connect. It goes on trying, so this only decides when it is said.
const CONNECTED_WITHIN: Duration = Duration::from_secs(60);

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of everything.
    pub dir: PathBuf,
    /// How many devices.
    pub devices: usize,
    /// The server's ports; `None` for its usual ones, or others where those are taken.
    pub ports: Option<Ports>,
    /// More arguments for the server.
    pub server_arguments: Vec<OsString>,
}

/// A server and its devices, from nothing to running and back.
pub struct Fleet {
    layout: Layout,
    supervisor: Supervisor,
    reporter: Arc<dyn Reporter>,
    options: Options,
    _lock: Lock,
}

/// What runs once everything has been started.
#[derive(Debug)]
pub struct Running {
    /// The server.
    pub server: Server,
    /// Where it is.
    pub endpoints: ServerEndpoints,
    /// The devices, in the order of their names.
    pub devices: Vec<Device>,
}

impl Fleet {
    /// Prepares the folder; starts nothing yet.
    ///
    /// # Errors
    /// A program has not been built, the folder can't be used, or another demo uses it.
    pub fn prepare(options: Options, reporter: Arc<dyn Reporter>) -> anyhow::Result<Self> {
        for program in ["microkernel-server", "microkernel-sensor", "microkernel-uplink"] {
            sibling(program)?;
        }
        let layout = Layout::create(&options.dir)?;
        let lock = Lock::take(layout.dir())?;
        let supervisor = Supervisor::new(reporter.clone());
        Ok(Self { layout, supervisor, reporter, options, _lock: lock })
    }

    /// Where everything lives.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What keeps its processes running.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Who is told what happens.
    pub(crate) fn reporter(&self) -> &dyn Reporter {
        &*self.reporter
    }

    /// Starts everything. May be abandoned at any point, for [`Self::stop`].
    ///
    /// # Errors
    /// The server does not start, or a device can't be. A device that does not connect in time is only reported.
    pub async fn start(&self) -> anyhow::Result<Running> {
        let server = Server::start(&self.supervisor, &self.layout, self.options.ports, &self.options.server_arguments)?;
        let endpoints = server.ready(&*self.reporter).await?;
        for notice in server.port_notices() {
            self.reporter.say(&notice);
        }
        let devices = self.start_devices(&server, &endpoints).await?;
        let running = Running { server, endpoints, devices };
        running.described().write(&self.layout.endpoints())?;
        Ok(running)
    }

    async fn start_devices(&self, server: &Server, endpoints: &ServerEndpoints) -> anyhow::Result<Vec<Device>> {
        let count = self.options.devices;
        let starting = (0..count).map(async |index| {
            let id: DeviceId = format!("device-{:03}", index + 1).parse()?;
            let device = Device::start(&self.supervisor, &self.layout, server, endpoints, id, index).await?;
            if let Err(error) = device.connected(CONNECTED_WITHIN).await {
                self.reporter.say(&error.to_string());
            }
            anyhow::Ok(device)
        });
        self.reporter.progress(&format!("starting {count} devices"));
        let mut devices = Vec::with_capacity(count);
        let mut started = stream::iter(starting).buffered(STARTING_AT_ONCE);
        while let Some(device) = started.try_next().await? {
            devices.push(device);
            self.reporter.progress(&format!("starting devices ({} of {count})", devices.len()));
        }
        Ok(devices)
    }

    /// Ends everything that was started, devices first, and waits for it. The data stays.
    pub async fn stop(&self) {
        self.supervisor.stop().await;
        // Tells other programs that nothing runs any more; that it never got so far is fine.
        let _not_written = std::fs::remove_file(self.layout.endpoints());
    }
}

impl Running {
    fn described(&self) -> Endpoints {
        let devices = self.devices.iter().map(|device| DeviceEndpoint {
            id: device.id.to_string(),
            cert: device.identity.cert.clone(),
            key: device.identity.key.clone(),
        });
        Endpoints { server: self.endpoints.clone(), devices: devices.collect() }
    }
}
