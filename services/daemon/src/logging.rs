//! Logging to standard error, which is the journal where systemd runs the service.
//!
//! Into the journal a line starts with its priority (`<3>`, `sd-daemon(3)`), and without the time, which the journal
//! has. `RUST_LOG` (`info,microkernel_uplink=debug`; targets and levels only) says what is logged, else `level` of the
//! `[log]` section.

use crate::config::{Layers, Log};
use serde::Deserialize;
use std::{
    fmt,
    fs::File,
    io::IsTerminal,
    os::{fd::AsFd, unix::fs::MetadataExt},
};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Compact, Format, Writer},
    },
    layer::{Layer, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    log: Log,
}

/// Starts logging. A wrong `RUST_LOG` or `[log]` section is logged, at the default level.
pub(crate) fn init() {
    let (filter, problem) = filter();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = if stderr_is_journal() {
        layer.event_format(JournalFormat::default()).with_ansi(false).boxed()
    } else {
        layer.compact().with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    // A second call in one process (tests) keeps the first one's.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    if let Some(problem) = problem {
        tracing::warn!("{problem}");
    }
}

fn filter() -> (Targets, Option<String>) {
    match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(targets) => return (targets, None),
            Err(error) => {
                let problem = format!(
                    "environment variable RUST_LOG: {text:?}: {error}; expected for example info,microkernel_uplink=debug"
                );
                return (Targets::new().with_default(Log::default().level), Some(problem));
            }
        },
        _ => {}
    }
    match Layers::system().load::<Config>() {
        Ok(config) => (Targets::new().with_default(config.log.level), None),
        // The service loads the configuration as well, and says everything that is wrong with it.
        Err(_) => (Targets::new().with_default(Log::default().level), None),
    }
}

/// Whether standard error is the stream that `JOURNAL_STREAM` names (`device:inode`): a child whose standard error was
/// redirected inherits the variable all the same (`systemd.exec(5)`).
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() else { return false };
    File::from(stderr).metadata().is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

struct JournalFormat(Format<Compact, ()>);

impl Default for JournalFormat {
    fn default() -> Self {
        Self(tracing_subscriber::fmt::format().compact().without_time().with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for JournalFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// The priority of `syslog(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}
