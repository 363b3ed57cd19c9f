//! What each command does.

use super::arguments::{CollectLogs, SetConfig, SetInterval, Update, parse};
use super::identify::Led;
use super::{journal, reboot};
use microkernel_bus::Error;
use microkernel_bus::ml::ScorerProxy;
use microkernel_bus::sensor::FeedProxy;
use microkernel_bus::update::AgentProxy;
use microkernel_bus::wasm::TransformerProxy;
use microkernel_bus::zbus::Connection;
use microkernel_wire::{Command, CommandName};
use serde_json::Value;
use tokio::sync::watch;

/// The sections that `set_config` can change, and by that the services that take a configuration over the bus.
const SECTIONS: &str = "sensor";

/// What actions need.
#[derive(Debug)]
pub(super) struct Actions {
    /// The bus, while there is a connection to it.
    pub(super) bus: watch::Receiver<Option<Connection>>,
    /// The LED that `identify` blinks.
    pub(super) led: Option<Led>,
}

/// A success, with what there is to tell about it.
#[derive(Debug, Default)]
pub(super) struct Done(pub(super) Option<Value>);

impl Done {
    fn saying(text: impl Into<String>) -> Self {
        Self(Some(text.into().into()))
    }
}

impl Actions {
    /// Carries out one command. The error is its answer: the reason and the remedy.
    pub(super) async fn carry_out(&self, command: &Command) -> Result<Done, String> {
        let payload = &command.payload;
        match &command.command {
            CommandName::SetInterval => self.set_interval(payload).await,
            CommandName::SetConfig => self.set_config(payload).await,
            CommandName::Identify => Ok(Done::saying(self.identify(&command.id))),
            CommandName::CollectLogs => {
                let arguments: CollectLogs = parse(payload, r#"{"lines":200}"#)?;
                journal::collect(arguments.lines).await.map(|logs| Done(Some(logs)))
            }
            CommandName::Reboot => {
                reboot::request(&self.bus()?).await?;
                Ok(Done::saying("the device is rebooting"))
            }
            CommandName::Update => self.update(payload).await,
            CommandName::WasmReload => {
                let transformer = TransformerProxy::uncached(&self.bus()?).await.map_err(|error| error.to_string())?;
                transformer.reload().await.map_err(|error| explain("wasm", &error))?;
                Ok(Done::default())
            }
            CommandName::ModelReload => {
                let scorer = ScorerProxy::uncached(&self.bus()?).await.map_err(|error| error.to_string())?;
                scorer.reload().await.map_err(|error| explain("ml", &error))?;
                Ok(Done::default())
            }
            CommandName::Unknown(name) => {
                let known = CommandName::KNOWN.map(|known| known.as_str().to_owned()).join(", ");
                Err(format!("this version knows no command {name:?}; it knows {known}"))
            }
        }
    }

    async fn set_interval(&self, payload: &Value) -> Result<Done, String> {
        let SetInterval { sensor, seconds } = parse(payload, r#"{"sensor":"Temperature","seconds":5}"#)?;
        let feed = self.feed().await?;
        feed.set_interval(&sensor, seconds).await.map_err(|error| explain("sensor", &error))?;
        Ok(Done::saying(format!("{sensor} is read every {seconds} s")))
    }

    async fn set_config(&self, payload: &Value) -> Result<Done, String> {
        let example = r#"{"section":"sensor","toml":"[sensor]\nring_capacity = 65536"}"#;
        let SetConfig { section, toml } = parse(payload, example)?;
        if section != SECTIONS {
            return Err(format!("the section {section:?} can't be set by a command; those that can: {SECTIONS}"));
        }
        self.feed().await?.apply_config(&toml).await.map_err(|error| explain("sensor", &error))?;
        Ok(Done::default())
    }

    fn identify(&self, id: &str) -> String {
        tracing::warn!(id, "IDENTIFY: the server asks for this device to show itself");
        match self.led.as_ref().map(Led::blink) {
            None => "only a line in the device's log: no LED is configured (uplink.identify_led)".to_owned(),
            Some(Ok(text)) => text,
            Some(Err(error)) => format!("only a line in the device's log: {error}"),
        }
    }

    async fn update(&self, payload: &Value) -> Result<Done, String> {
        let Update { version } = parse(payload, r#"{"version":"1.0.1"}"#)?;
        let agent = AgentProxy::uncached(&self.bus()?).await.map_err(|error| error.to_string())?;
        let text = match &version {
            Some(version) => agent.install(version).await.map(|()| format!("the installation of {version} has begun")),
            None => agent.check().await.map(|()| "the server was asked for an update".to_owned()),
        };
        text.map(Done::saying).map_err(|error| explain("update", &error))
    }

    async fn feed(&self) -> Result<FeedProxy<'static>, String> {
        FeedProxy::uncached(&self.bus()?).await.map_err(|error| error.to_string())
    }

    fn bus(&self) -> Result<Connection, String> {
        let bus = self.bus.borrow().clone();
        bus.ok_or_else(|| "the uplink has no connection to the device's bus; it is trying to get one".to_owned())
    }
}

fn explain(service: &str, error: &Error) -> String {
    if error.is_absent() {
        return format!("the {service} service is not running on this device: install or start it");
    }
    error.to_string()
}
