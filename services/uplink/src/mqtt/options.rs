//! How a connection is asked for.

use super::tls::{TlsError, client_config};
use super::{MAX_IN_FLIGHT, OTHER_MESSAGES};
use crate::device::About;
use crate::settings::Settings;
use microkernel_wire::{Channel, DeviceState, MAX_PAYLOAD_BYTES, Topic};
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;
use rumqttc::{TlsConfiguration, Transport};
use std::sync::Arc;

/// How long TCP, TLS and CONNECT may take together, in seconds.
const CONNECT_TIMEOUT_SECONDS: u64 = 20;

/// What MQTT puts around a payload, at most: fixed header, topic length, packet id, properties.
pub(super) const PUBLISH_OVERHEAD_BYTES: usize = 5 + 2 + 2 + 1;

/// Requests that fit between us and the client library; more than are ever on their way, so that handing one over
/// never has to wait.
pub(super) const REQUEST_CAPACITY: usize = MAX_IN_FLIGHT as usize + 2 * OTHER_MESSAGES;

/// The options of one connection. The files are read, and the last will is dated, anew each time.
///
/// # Errors
/// When the files don't make an identity.
pub(super) fn connect_options(settings: &Settings, about: &About) -> Result<MqttOptions, TlsError> {
    let id = settings.device.as_str();
    let mut options = MqttOptions::new(id, &settings.broker.host, settings.broker.port);
    options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(client_config(&settings.identity)?))));
    options.set_keep_alive(settings.link.keep_alive);
    options.set_connection_timeout(CONNECT_TIMEOUT_SECONDS);
    // The session outlives the connection, so that commands reach a device that was away.
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(settings.link.session_expiry_seconds));
    // The library's 10 KiB would end the connection at a longer command, again at each redelivery. The broker is told
    // this limit and does not send what is longer.
    options.set_max_packet_size(Some((MAX_PAYLOAD_BYTES + 1024) as u32));
    // The library numbers packets from 1 to this and stumbles when a number is still in use, which a broker that
    // acknowledges in order (MQTT 5, section 4.6) and a window that is smaller rule out.
    options.set_outgoing_inflight_upper_limit(4 * MAX_IN_FLIGHT);
    let mut network = rumqttc::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    let topic = Topic::new(settings.device.clone(), Channel::Status).to_string();
    let will = super::encode(&about.status(DeviceState::Offline));
    options.set_last_will(LastWill::new(topic, will, QoS::AtLeastOnce, true, None));
    Ok(options)
}
