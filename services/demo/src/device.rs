//! A device: a message bus of its own, the sensor service and the uplink, as processes.

use crate::{Layout, Program, Server, ServerEndpoints, Service, Stage, Supervisor, bus_daemon, sibling, simulation};
use anyhow::{Context, bail};
use microkernel_bus::uplink::LinkProxy;
use microkernel_bus::zbus;
use microkernel_wire::DeviceId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// How often something is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(100);
/// How long a bus may take to listen.
const BUS_WITHIN: Duration = Duration::from_secs(30);
/// The name of the demo's configuration file, in the order of a folder's files the first.
const CONFIG_FILE: &str = "10-demo.toml";

/// The files by which a device proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Certificate of the CA that signed the broker's.
    pub ca_cert: PathBuf,
    /// The device's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Identity {
    /// The files as `microkernel-server certificate issue` names them.
    pub(crate) fn in_folder(device: &DeviceId, folder: &Path) -> Self {
        Self {
            ca_cert: folder.join("ca.crt"),
            cert: folder.join(format!("{device}.crt")),
            key: folder.join(format!("{device}.key")),
        }
    }
}

/// A device, running.
#[derive(Debug)]
pub struct Device {
    /// Who it is.
    pub id: DeviceId,
    /// How it proves that.
    pub identity: Identity,
    /// The address of its bus.
    pub bus_address: String,
    /// Its configuration, changed by the demo only before the start.
    pub config_file: PathBuf,
    /// Its message bus.
    pub bus: Service,
    /// Its sensor service.
    pub sensor: Service,
    /// Its uplink.
    pub uplink: Service,
}

impl Device {
    /// Gives the device a certificate and starts it: the `index`-th of the fleet, from 0. It is not connected yet.
    ///
    /// # Errors
    /// No certificate, or a program is missing, or the bus does not listen in time.
    pub async fn start(
        supervisor: &Supervisor,
        layout: &Layout,
        server: &Server,
        endpoints: &ServerEndpoints,
        id: DeviceId,
        index: usize,
    ) -> anyhow::Result<Self> {
        let (sensor, uplink) = (sibling("microkernel-sensor")?, sibling("microkernel-uplink")?);
        let folders = layout.create_device(&id)?;
        let identity = server.issue_certificate(&id, &folders.identity).await?;
        let config_file = folders.config.join(CONFIG_FILE);
        std::fs::write(&config_file, simulation::configuration(&id, index))
            .with_context(|| format!("{} was not written", config_file.display()))?;

        let socket = layout.bus_socket(&id);
        let bus_address = bus_daemon::address(&socket);
        let bus = supervisor.start(Stage::Bus, bus_daemon::program(layout, &id, &folders.state)?);
        listening(&bus, &socket).await?;

        let (host, port) = endpoints.broker()?;
        let environment: Vec<(&'static str, OsString)> = vec![
            ("DBUS_SYSTEM_BUS_ADDRESS", bus_address.clone().into()),
            ("DEVICE_ID", id.as_str().into()),
            ("MQTT_BROKER_HOST", host.into()),
            ("MQTT_BROKER_PORT", port.to_string().into()),
            ("MQTT_CA_CERT", identity.ca_cert.clone().into()),
            ("MQTT_CLIENT_CERT", identity.cert.clone().into()),
            ("MQTT_CLIENT_KEY", identity.key.clone().into()),
            ("MICROKERNEL_CONFIG_PATH", joined(&folders.config, &folders.own_config)),
            ("MICROKERNEL_STATE_DIR", folders.state.clone().into()),
        ];
        let start = |stage, what: &str, program| {
            let program = Program {
                name: format!("{id} {what}"),
                program,
                arguments: vec![],
                environment: environment.clone(),
                log: layout.log(&format!("{id}.{what}")),
                leftovers: vec![],
            };
            supervisor.start(stage, program)
        };
        let sensor = start(Stage::Sensor, "sensor", sensor);
        let uplink = start(Stage::Uplink, "uplink", uplink);
        Ok(Self { id, identity, bus_address, config_file, bus, sensor, uplink })
    }

    /// A new connection to its bus.
    ///
    /// # Errors
    /// The bus is not there.
    pub async fn connect_to_bus(&self) -> zbus::Result<zbus::Connection> {
        microkernel_bus::at(&self.bus_address).build().await
    }

    /// Waits until its uplink says that it is connected to the broker.
    ///
    /// # Errors
    /// It doesn't within `deadline`: with its last words and the end of the logs.
    pub async fn connected(&self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let connection = self.connect_to_bus().await.with_context(|| format!("no bus of {}", self.id))?;
        let link = LinkProxy::uncached(&connection).await.context("no proxy")?;
        loop {
            let state = match link.state().await {
                Ok(state) if state == "connected" => return Ok(()),
                Ok(state) => format!("{state} {}", link.last_error().await.unwrap_or_default()),
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                bail!(
                    "{} is not connected after {} s ({}); it goes on trying. {}{}",
                    self.id,
                    within.as_secs(),
                    state.trim(),
                    self.sensor.program().log_tail(),
                    self.uplink.program().log_tail(),
                );
            }
            sleep(POLL).await;
        }
    }
}

/// Waits until someone listens on the bus's socket.
async fn listening(bus: &Service, socket: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + BUS_WITHIN;
    while UnixStream::connect(socket).await.is_err() {
        if Instant::now() > deadline {
            bail!(
                "the {} does not listen after {} s; {}It needs Debian's package dbus",
                bus.program().name,
                BUS_WITHIN.as_secs(),
                bus.program().log_tail()
            );
        }
        sleep(POLL).await;
    }
    Ok(())
}

fn joined(first: &Path, second: &Path) -> OsString {
    let mut path = first.as_os_str().to_owned();
    path.push(":");
    path.push(second);
    path
}
