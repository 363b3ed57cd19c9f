//! `/api/v1/events`: server-sent events (WHATWG HTML, section 9.2), of the fleet, of one device or of one rollout.

use super::fleet_events;
use super::parameters::{Parameters, time};
use super::problem::Problem;
use super::rollout_events::RolloutStream;
use crate::commands::{self, CommandRecord};
use crate::live::{Change, Subscription};
use crate::registry;
use crate::state::AppState;
use crate::telemetry::store::{Cursor, cursor, since};
use crate::time::Time;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use microkernel_wire::DeviceId;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

/// The shortest time between two readings events of one stream.
const TICK: Duration = Duration::from_millis(250);
/// The same for device events.
pub(super) const DEVICE_TICK: Duration = Duration::from_secs(1);
/// A proxy or a browser learns this often that the stream lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Changes of commands are looked for from so long before the last one seen: a transaction may take that long.
const OVERLAP_MICROS: i64 = 10_000_000;

/// Streams events; `device` for one device's, `rollout` for one rollout's, `since` (or `Last-Event-ID`) for readings from then on.
#[utoipa::path(get, path = "/events", tag = "events",
    params(
        ("device" = Option<String>, Query, description = "One device's events: readings, device, command"),
        ("rollout" = Option<i64>, Query, description = "One rollout's events: rollout"),
        ("since" = Option<String>, Query, description = "Readings from then on: Unix seconds or RFC 3339"),
    ),
    responses((status = 200, description = "Server-sent events; the fleet's where neither is named",
        content_type = "text/event-stream", body = String)))]
pub(super) async fn stream(
    State(state): State<AppState>,
    headers: HeaderMap,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(parameters) =
        parameters.map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
    let (mut device, mut rollout, mut start) = (None, None, None);
    for (name, value) in &parameters {
        match name.as_str() {
            "device" => device = Some(value.parse::<DeviceId>().map_err(|_| Problem::unknown_device(value))?),
            "rollout" => {
                let id = value.parse().map_err(|_| Problem::parameter(name, value, "a rollout's id, a number"))?;
                rollout = Some(id);
            }
            "since" => start = Some(time(name, value)?),
            _ => return Err(Problem::parameter("a parameter", name, "one of device, rollout, since")),
        }
    }
    // A browser that reconnects says what it has; the address still says what it had at first.
    let last_event = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).map(Time::from_micros);
    // Subscribed before anything is read, so that no change falls between.
    let changes = state.live.subscribe();
    let events = match (device, rollout) {
        (Some(id), _) => DeviceStream::begin(state, id, changes, last_event.or(start)).await?.events().boxed(),
        (None, Some(id)) => RolloutStream::begin(state, id, changes).await?.events().boxed(),
        (None, None) => fleet_events::FleetStream::begin(state, changes).events().boxed(),
    };
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// One client's view of a device.
struct DeviceStream {
    state: AppState,
    id: DeviceId,
    device_key: i32,
    changes: Subscription,
    readings: Cursor,
    /// The newest change of a command seen so far, and what was seen lately.
    commands_since: Time,
    commands: HashMap<Uuid, Time>,
    next_tick: Instant,
    next_device: Instant,
    /// A change came after the last device event.
    device_pending: bool,
    ready: VecDeque<Event>,
}

impl DeviceStream {
    async fn begin(state: AppState, id: DeviceId, changes: Subscription, start: Option<Time>) -> Result<Self, Problem> {
        let key = registry::store::key(&state.pool, state.organisation, id.as_str()).await?;
        let device_key = key.ok_or_else(|| Problem::unknown_device(id.as_str()))?;
        let readings = cursor(&state.pool, device_key, start).await?;
        let now = Instant::now();
        let mut stream = Self {
            state,
            id,
            device_key,
            changes,
            readings,
            commands_since: Time::now(),
            commands: HashMap::new(),
            next_tick: now,
            next_device: now,
            device_pending: true,
            ready: VecDeque::new(),
        };
        // A first look, so that the client has the present state without waiting for a change.
        stream.collect().await?;
        Ok(stream)
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut stream| async move {
            loop {
                if let Some(event) = stream.ready.pop_front() {
                    return Some((Ok(event), stream));
                }
                stream.wait().await?;
                if let Err(error) = stream.collect().await {
                    tracing::debug!("an event stream waits for the database: {error}");
                }
            }
        })
    }

    /// Waits until there may be something to send; `None` when the server ends.
    async fn wait(&mut self) -> Option<()> {
        let concerned = async {
            while !self.changes.next().await?.concerns(self.id.as_str()) {}
            Some(())
        };
        if self.device_pending {
            // The device event that was held back is due, whether anything else comes or not.
            if let Ok(changed) = timeout_at(self.next_device, concerned).await {
                changed?;
            }
        } else {
            concerned.await?;
            self.device_pending = true;
        }
        sleep_until(self.next_tick).await;
        Some(())
    }

    async fn collect(&mut self) -> Result<(), sqlx::Error> {
        let now = Instant::now();
        self.next_tick = now + TICK;
        let points = since(&self.state.pool, self.device_key, &mut self.readings).await?;
        if !points.is_empty() {
            let event = json("readings", &points);
            let id = self.readings.oldest().map(|time| time.as_micros().to_string());
            self.ready.push_back(id.map_or(event.clone(), |id| event.id(id)));
        }
        for command in self.changed_commands().await? {
            self.ready.push_back(json("command", &command));
        }
        if self.device_pending && now >= self.next_device {
            self.next_device = now + DEVICE_TICK;
            self.device_pending = false;
            let only = [self.id.to_string()];
            let devices = registry::list(&self.state.pool, self.state.organisation, Some(&only)).await?;
            self.ready.extend(devices.iter().map(|device| json("device", device)));
        }
        Ok(())
    }

    async fn changed_commands(&mut self) -> Result<Vec<CommandRecord>, sqlx::Error> {
        let from = Time::from_micros(self.commands_since.as_micros() - OVERLAP_MICROS);
        let recent = commands::store::changed_since(&self.state.pool, self.device_key, from).await?;
        let seen = std::mem::take(&mut self.commands);
        self.commands = recent.iter().map(|command| (command.id, command.updated_at)).collect();
        self.commands_since = self.commands.values().copied().max().unwrap_or(self.commands_since);
        Ok(recent.into_iter().filter(|command| seen.get(&command.id) != Some(&command.updated_at)).collect())
    }
}

/// An event of JSON data.
pub(super) fn json(name: &str, data: &impl serde::Serialize) -> Event {
    let data = serde_json::to_string(data).unwrap_or_else(|error| unreachable!("keys are strings: {error}"));
    Event::default().event(name).data(data)
}

/// Adds what a change concerns to what is to be sent; everything where `None`.
pub(super) fn merge(pending: &mut Option<std::collections::BTreeSet<String>>, change: Change) {
    match (pending, change) {
        (Some(ids), Change::Devices(more)) => ids.extend(more.iter().cloned()),
        (pending, Change::Everything) => *pending = None,
        (None, Change::Devices(_)) => {}
    }
}
