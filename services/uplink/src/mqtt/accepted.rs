//! What the broker said when it accepted the connection (MQTT 5, section 3.2.2.3).

use super::failure::Failure;
use rumqttc::v5::mqttbytes::v5::ConnAck;
use std::time::{Duration, Instant};

/// The terms of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted {
    /// Since when.
    pub(super) at: Instant,
    /// The most telemetry on its way.
    pub(super) window: usize,
    /// The longest packet that the broker takes.
    pub(super) packet_bytes: usize,
    /// Whether it retains messages; one that does not ends a connection that asks for it.
    pub(super) retain: bool,
    /// The keep alive, where the broker wants another one.
    pub(super) keep_alive: Option<Duration>,
}

impl Accepted {
    /// The terms of `connack`; we would have `in_flight` messages on their way.
    ///
    /// # Errors
    /// When the broker does not take QoS 1.
    pub(super) fn by(connack: &ConnAck, in_flight: u16) -> Result<Self, Failure> {
        let properties = connack.properties.as_ref();
        if properties.and_then(|properties| properties.max_qos) == Some(0) {
            return Err(Failure::new("the broker only takes QoS 0", "use a broker that takes QoS 1"));
        }
        let retain = properties.and_then(|properties| properties.retain_available) != Some(0);
        if !retain {
            tracing::warn!("the broker retains nothing: who subscribes later does not learn this device's status");
        }
        let receive_max = properties.and_then(|properties| properties.receive_max).unwrap_or(u16::MAX);
        let packet_bytes = properties.and_then(|properties| properties.max_packet_size);
        let keep_alive = properties.and_then(|properties| properties.server_keep_alive);
        Ok(Self {
            at: Instant::now(),
            window: receive_max.min(in_flight).into(),
            packet_bytes: packet_bytes.map_or(usize::MAX, |bytes| bytes as usize),
            retain,
            keep_alive: keep_alive.map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}
