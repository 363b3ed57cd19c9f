//! A device as the broker sees it: its certificate, its topics.

use crate::world::{DEADLINE, eventually};
use microkernel_server::config::TlsFiles;
use microkernel_server::tls::client_config;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// What the broker sends.
pub(crate) enum Received {
    Connected,
    Subscribed,
    Acknowledged(PubAckReason),
    Message(Vec<u8>),
    Lost,
}

/// A connected device.
pub(crate) struct Device {
    pub(crate) id: String,
    client: AsyncClient,
    received: mpsc::UnboundedReceiver<Received>,
    _polling: AbortOnDropHandle<()>,
}

impl Device {
    pub(crate) async fn connect(id: &str, port: u16, certificate: PathBuf) -> Self {
        let files = TlsFiles {
            ca_cert: certificate.join("ca.crt"),
            client_cert: certificate.join(format!("{id}.crt")),
            client_key: certificate.join(format!("{id}.key")),
        };
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        let tls = TlsConfiguration::Rustls(Arc::new(client_config(&files).unwrap()));
        options.set_transport(Transport::tls_with_config(tls)).set_clean_start(true);
        options.set_outgoing_inflight_upper_limit(100);
        let will = json!({"state": "offline"}).to_string();
        options.set_last_will(LastWill::new(format!("devices/{id}/status"), will, QoS::AtLeastOnce, true, None));
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut events) = AsyncClient::new(options, 1_000);
        let (report, received) = mpsc::unbounded_channel();
        let polling = tokio::spawn(async move {
            loop {
                let next = match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => Received::Connected,
                    Ok(Event::Incoming(Packet::SubAck(_))) => Received::Subscribed,
                    Ok(Event::Incoming(Packet::PubAck(ack))) => Received::Acknowledged(ack.reason),
                    Ok(Event::Incoming(Packet::Publish(publish))) => Received::Message(publish.payload.to_vec()),
                    Ok(_) => continue,
                    Err(_) => Received::Lost,
                };
                let lost = matches!(next, Received::Lost);
                if report.send(next).is_err() || lost {
                    return;
                }
            }
        });
        let mut device = Self { id: id.to_owned(), client, received, _polling: AbortOnDropHandle::new(polling) };
        assert!(matches!(device.next().await, Received::Connected));
        device
    }

    /// The next that the broker sends.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::time::timeout(DEADLINE, self.received.recv()).await.expect("the broker sends something").unwrap()
    }

    /// Hands a payload to the broker, which acknowledges it.
    pub(crate) async fn publish(&mut self, channel: &str, payload: impl Into<Vec<u8>>) -> PubAckReason {
        let topic = format!("devices/{}/{channel}", self.id);
        self.client.publish(topic, QoS::AtLeastOnce, channel == "status", payload.into()).await.unwrap();
        loop {
            match self.next().await {
                Received::Acknowledged(reason) => return reason,
                Received::Lost => panic!("the connection was lost"),
                _ => {}
            }
        }
    }

    /// Hands payloads to the broker as fast as it takes them, and waits until all are acknowledged.
    pub(crate) async fn flood(&mut self, payloads: Vec<Vec<u8>>) {
        let (client, topic, count) = (self.client.clone(), format!("devices/{}/telemetry", self.id), payloads.len());
        let sending = tokio::spawn(async move {
            for payload in payloads {
                client.publish(&topic, QoS::AtLeastOnce, false, payload).await.unwrap();
            }
        });
        for _ in 0..count {
            match self.next().await {
                Received::Acknowledged(_) => {}
                _ => panic!("the connection was lost"),
            }
        }
        sending.await.unwrap();
    }

    /// Hands readings to the broker in one message.
    pub(crate) async fn readings(&mut self, readings: Value) {
        self.publish("telemetry", readings.to_string()).await;
    }

    /// Subscribes to its commands.
    pub(crate) async fn listen(&mut self) {
        self.client.subscribe(format!("devices/{}/commands", self.id), QoS::AtLeastOnce).await.unwrap();
        while !matches!(self.next().await, Received::Subscribed) {}
    }

    /// The next command.
    pub(crate) async fn command(&mut self) -> Value {
        loop {
            if let Received::Message(payload) = self.next().await {
                return serde_json::from_slice(&payload).unwrap();
            }
        }
    }

    /// Whether the broker ends the connection when this is published.
    pub(crate) async fn is_cut_off_by(&mut self, payload: Vec<u8>) -> bool {
        let topic = format!("devices/{}/telemetry", self.id);
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
        matches!(self.next().await, Received::Lost)
    }
}

/// Now, in Unix seconds.
pub(crate) fn now() -> f64 {
    microkernel_wire::Timestamp::now().as_seconds()
}

/// A reading without a number.
pub(crate) fn reading(device: &Device, value: f64) -> Value {
    json!({"device_id": device.id, "sensor": "Temperature", "value": value, "unit": "°C", "timestamp": now(),
        "anomaly": false, "confidence": 0.95})
}

/// A reading with a number.
pub(crate) fn numbered(device: &Device, boot_id: uuid::Uuid, seq: u64) -> Value {
    let mut reading = reading(device, seq as f64);
    reading["boot_id"] = json!(boot_id);
    reading["seq"] = json!(seq);
    reading
}

/// Waits until the API shows so many rejections of a kind for a device, and gives the newest.
pub(crate) async fn rejection(server: &crate::world::Server, device: &str, kind: &str, count: i64) -> Value {
    eventually(&format!("{count} {kind}"), async || {
        let device = server.device(device).await;
        let rejections = device["rejections"].as_array().unwrap();
        rejections.iter().find(|r| r["kind"] == kind && r["count"].as_i64() >= Some(count)).cloned()
    })
    .await
}
