//! Logging to standard error, which is the journal where systemd runs the service.
//!
//! Into the journal a line starts with its priority (`<3>`, `sd-daemon(3)`), and without the time, which the journal
//! has. `RUST_LOG` (`info,microkernel_uplink=debug`; targets and levels only) says what is logged, else `level` of the
//! `[log]` section.

use crate::config::{Layers, Log, LogLevel};
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

/// Starts logging, at the default level where what was asked for is wrong.
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

/// What is logged, and what is wrong with what was asked for.
fn filter() -> (Targets, Option<String>) {
    let from = |level: LogLevel| Targets::new().with_default(level);
    let requested = std::env::var("RUST_LOG").unwrap_or_default();
    if requested.is_empty() {
        // The service loads the configuration as well, and says everything that is wrong with it.
        let config = Layers::system().load::<Config>().unwrap_or_default();
        return (from(config.log.level), None);
    }
    requested.parse().map(|targets| (targets, None)).unwrap_or_else(|error| {
        let example = "info,microkernel_uplink=debug";
        let problem = format!("environment variable RUST_LOG: {requested:?}: {error}; expected for example {example}");
        (from(LogLevel::default()), Some(problem))
    })
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
