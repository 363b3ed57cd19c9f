//! The arguments of the commands that an operator gives a running server.

use crate::rollouts::{NewWave, WaveSize, Window, default_error, default_success};
use crate::tags::Tag;
use crate::targets::Target;
use crate::time::Time;
use clap::{Args, Subcommand, ValueEnum};
use microkernel_wire::DeviceId;
use std::path::PathBuf;

use super::DataArguments;

/// Which server, and how its answer is shown.
#[derive(Debug, Args)]
pub struct ServerArguments {
    /// The server's address [default: that of the server that runs in the data folder, else http://127.0.0.1:4000]
    #[arg(long, global = true, value_name = "URL", env = "MICROKERNEL_SERVER")]
    pub(crate) server: Option<String>,

    /// How the answer is shown: a table for people, or the API's JSON for programs
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) data: DataArguments,
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table.
    Table,
    /// JSON.
    Json,
}

/// The arguments of `releases`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  microkernel-server releases upload microkernel-1.0.1.raucb
  microkernel-server releases list --output json | jq -r '.[].version'
  microkernel-server releases delete 3")]
pub struct ReleasesArguments {
    #[command(subcommand)]
    pub(crate) action: ReleasesAction,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

/// What to do with releases.
#[derive(Debug, Subcommand)]
pub enum ReleasesAction {
    /// Upload a signed RAUC bundle; the server verifies it
    Upload {
        /// The bundle
        file: PathBuf,
    },
    /// List all releases, the newest first
    List,
    /// Show a release and what is in it
    Show {
        /// The release's id
        id: i64,
    },
    /// Delete a release that was never deployed
    Delete {
        /// The release's id
        id: i64,
    },
}

/// The arguments of `rollouts`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  microkernel-server rollouts create --release 1.0.1 --all --wave 5 --wave 20% --wave 100% --at-once 10 --watch
  microkernel-server rollouts create --release 1.0.1 --tag pilot --wave 100%,success=95,error=5 --window 22:00-04:00
  microkernel-server rollouts watch 7 && echo done
  microkernel-server rollouts retry 7

watch and create --watch end with 0 when the rollout is finished, and with 3 when it has halted or was cancelled.")]
pub struct RolloutsArguments {
    #[command(subcommand)]
    pub(crate) action: RolloutsAction,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

/// What to do with rollouts.
#[derive(Debug, Subcommand)]
pub enum RolloutsAction {
    /// Roll a release out, wave by wave; it begins by itself
    Create(Box<NewRolloutArguments>),
    /// List the newest rollouts
    List,
    /// Show a rollout: its waves, its failures and its log
    Show(RolloutArguments),
    /// Hold a rollout: nothing more is offered, what is in flight goes on
    Pause(RolloutArguments),
    /// Go on with a rollout that is held or has halted; failures so far no longer count
    Resume(RolloutArguments),
    /// End a rollout: devices that have begun are asked to cancel
    Cancel(RolloutArguments),
    /// Roll out again to the devices that failed
    Retry(RolloutArguments),
    /// Follow a rollout until it ends or halts
    Watch(RolloutArguments),
}

/// Names a rollout.
#[derive(Debug, Clone, Copy, Args)]
pub struct RolloutArguments {
    /// The rollout's id
    pub(crate) id: i64,
}

/// What `rollouts create` takes.
#[derive(Debug, Args)]
pub struct NewRolloutArguments {
    /// The release: its id or its version
    #[arg(long, value_name = "ID|VERSION")]
    pub(crate) release: String,
    /// A name for people [default: the release's version]
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Only devices that run this version; may be given several times
    #[arg(long, value_name = "VERSION")]
    pub(crate) from_version: Vec<String>,
    /// A wave: its size, and the percentages of success that starts the next and of failure that halts the rollout;
    /// may be given several times [default: 100%,success=90,error=10]
    #[arg(long, value_name = "N|N%[,success=N][,error=N]", value_parser = parse_wave)]
    pub(crate) wave: Vec<NewWave>,
    /// So many devices are in flight at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) at_once: u16,
    /// When it begins, RFC 3339 [default: at once]
    #[arg(long, value_name = "TIME", value_parser = parse_json::<Time>)]
    pub(crate) start: Option<Time>,
    /// The hours of the day in which deployments are offered, UTC [default: always]
    #[arg(long, value_name = "HH:MM-HH:MM", value_parser = parse_window)]
    pub(crate) window: Option<Window>,
    /// Follow it until it ends or halts
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Which devices.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct TargetArguments {
    /// All devices
    #[arg(long)]
    all: bool,
    /// This device; may be given several times
    #[arg(long, value_name = "ID")]
    device: Vec<DeviceId>,
    /// The devices that have this tag
    #[arg(long)]
    tag: Option<Tag>,
    /// The devices whose id begins so
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
}

impl From<TargetArguments> for Target {
    fn from(arguments: TargetArguments) -> Self {
        match arguments {
            TargetArguments { tag: Some(tag), .. } => Self::Tag(tag),
            TargetArguments { prefix: Some(prefix), .. } => Self::Prefix(prefix),
            // Exactly one of them is given.
            TargetArguments { all: true, .. } => Self::All,
            TargetArguments { device, .. } => Self::Devices(device),
        }
    }
}

/// The arguments of `deployments`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  microkernel-server deployments create --release 1.0.1 --device device-001
  microkernel-server deployments create --release 1.0.1 --tag bench
  microkernel-server deployments list --device device-001
  microkernel-server deployments cancel device-001 42")]
pub struct DeploymentsArguments {
    #[command(subcommand)]
    pub(crate) action: DeploymentsAction,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

/// What to do with deployments.
#[derive(Debug, Subcommand)]
pub enum DeploymentsAction {
    /// Give devices a release at once, without waves or a limit; one that runs it already gets it only where it is the
    /// only one that is named
    Create {
        /// The release: its id or its version
        #[arg(long, value_name = "ID|VERSION")]
        release: String,
        /// The devices.
        #[command(flatten)]
        target: TargetArguments,
    },
    /// List the newest deployments
    List {
        /// Only this device's
        #[arg(long, value_name = "ID")]
        device: Option<DeviceId>,
    },
    /// Cancel a deployment; a device that has begun is asked
    Cancel {
        /// The device
        device: DeviceId,
        /// The deployment's id
        id: i64,
        /// Don't ask the device: it may install all the same
        #[arg(long)]
        force: bool,
    },
}

/// The arguments of `devices`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  microkernel-server devices list --tag pilot
  microkernel-server devices show device-001
  microkernel-server devices tag pilot --add device-001 --add device-002 --remove device-009")]
pub struct DevicesArguments {
    #[command(subcommand)]
    pub(crate) action: DevicesAction,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub enum DevicesAction {
    /// List the devices
    List {
        /// Only those that have this tag
        #[arg(long)]
        tag: Option<Tag>,
    },
    /// Show a device
    Show {
        /// The device
        id: DeviceId,
    },
    /// Give a tag to devices, and take it from others
    Tag {
        /// The tag
        tag: Tag,
        /// A device that gets it; may be given several times
        #[arg(long, value_name = "ID", required_unless_present = "remove")]
        add: Vec<DeviceId>,
        /// A device that loses it; may be given several times
        #[arg(long, value_name = "ID")]
        remove: Vec<DeviceId>,
    },
}

/// What the API takes as a text.
fn parse_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

fn parse_window(text: &str) -> Result<Window, String> {
    let (from, to) = text.split_once('-').ok_or("expected two minutes of the day such as 22:00-04:00")?;
    Ok(Window { from: parse_json(from)?, to: parse_json(to)? })
}

fn parse_wave(text: &str) -> Result<NewWave, String> {
    let mut parts = text.split(',');
    let size = parts.next().unwrap_or_default();
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no whole number"));
    let size = match size.strip_suffix('%') {
        Some(percent) => WaveSize::Percent(u8::try_from(number(percent)?).map_err(|_| "expected 0 to 100 percent")?),
        None => WaveSize::Count(number(size)?),
    };
    let mut wave =
        NewWave { size, success_threshold_percent: default_success(), error_threshold_percent: default_error() };
    for part in parts {
        let (threshold, percent) = match part.split_once('=') {
            Some(("success", percent)) => (&mut wave.success_threshold_percent, percent),
            Some(("error", percent)) => (&mut wave.error_threshold_percent, percent),
            _ => return Err(format!("{part:?} is neither success=N nor error=N")),
        };
        *threshold = percent.parse().map_err(|_| format!("{percent:?} is no percentage"))?;
    }
    Ok(wave)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::Cli;
    use clap::{CommandFactory, Parser as _};

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_wave_is_a_size_with_thresholds() {
        let wave = |text: &str| {
            let NewWave { size, success_threshold_percent, error_threshold_percent } = parse_wave(text).unwrap();
            (size, success_threshold_percent, error_threshold_percent)
        };
        assert_eq!(wave("5"), (WaveSize::Count(5), 90, 10));
        assert_eq!(wave("20%"), (WaveSize::Percent(20), 90, 10));
        assert_eq!(wave("100%,error=3,success=99"), (WaveSize::Percent(100), 99, 3));
        for wrong in ["", "x", "5%%", "300%", "5,10", "5,error=x", "5,errors=1"] {
            assert!(parse_wave(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn exactly_one_target_is_given() {
        let create = |more: &[&str]| {
            let line = ["microkernel-server", "rollouts", "create", "--release", "1.0.1"];
            Cli::try_parse_from(line.iter().chain(more)).is_ok()
        };
        assert!(create(&["--all"]) && create(&["--device", "a", "--device", "b"]) && create(&["--tag", "pilot"]));
        assert!(!create(&[]) && !create(&["--all", "--tag", "pilot"]) && !create(&["--tag", "a b"]));
        assert!(create(&["--all", "--start", "2026-01-01T22:00:00Z", "--window", "22:00-04:00", "--wave", "5"]));
        assert!(!create(&["--all", "--start", "tomorrow"]) && !create(&["--all", "--window", "22:00"]));
    }
}
