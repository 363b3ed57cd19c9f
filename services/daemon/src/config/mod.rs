//! Configuration: TOML files in layers, the environment last.
//!
//! `/usr/lib/microkernel/config.d` (the image) < `/etc/microkernel/config.d` (the administrator) <
//! `/data/microkernel/config.d` (the device) < environment. In each folder every `*.toml` is read, in the order of the
//! names. A later file overrides single keys of an earlier one: tables are merged, everything else is replaced.
//!
//! Every key belongs to one section, and each section to one service or to all of them: [`Device`], [`Mqtt`] and [`Log`].
//! A section that nobody has, and a key that its section does not have, is an error and not ignored: it is a typo.

mod document;
mod environment;
mod error;
mod layers;
mod merged;
mod sections;
mod snapshot;
mod wording;

pub use error::{ConfigError, Origin};
pub use layers::{CONFIG_PATH_VARIABLE, Layers};
pub use sections::{Device, Log, LogLevel, Mqtt};
pub use snapshot::Loaded;
