//! The server's end: hears everything of every device, and commands them.

use crate::broker::Broker;
use crate::wait::until;
use microkernel_uplink::mqtt::client_config;
use microkernel_uplink::settings::Identity;
use microkernel_wire::{Channel, DeviceId, Health, Reading, Response, Status, Topic, decode_json, decode_telemetry};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// Topic and payload.
type Message = (Topic, Vec<u8>);

pub(crate) struct Listener {
    device: DeviceId,
    client: AsyncClient,
    heard: Arc<Mutex<Vec<Message>>>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Listens to the device `id`, again after each loss of the broker.
    pub(crate) async fn start(broker: &Broker, id: &str) -> Self {
        let (client_cert, client_key) = broker.pki.issue("server");
        let identity = Identity { ca_cert: broker.pki.ca(), client_cert, client_key };
        let mut options = MqttOptions::new("listener", "127.0.0.1", broker.port);
        let tls = Arc::new(client_config(&identity).unwrap());
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(tls)));
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut events) = AsyncClient::new(options, 100);
        let heard = Arc::new(Mutex::new(vec![]));
        let (subscribed, mut ready) = tokio::sync::mpsc::channel(1);
        let (sink, subscriber) = (heard.clone(), client.clone());
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    // QoS 0: the broker hands a message on before it acknowledges it to its publisher, so that it is
                    // not in a queue that a kill would empty.
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        subscriber.try_subscribe("devices/#", QoS::AtMostOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = subscribed.try_send(());
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic = std::str::from_utf8(&publish.topic).unwrap().parse().unwrap();
                        sink.lock().unwrap().push((topic, publish.payload.to_vec()));
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        tokio::time::timeout(crate::wait::DEADLINE, ready.recv()).await.expect("the listener has not subscribed");
        let device = id.parse().unwrap();
        Self { device, client, heard, _task: AbortOnDropHandle::new(task) }
    }

    fn payloads(&self, channel: Channel) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        let of_channel = heard.iter().filter(|(topic, _)| topic.channel == channel && topic.device == self.device);
        of_channel.map(|(_, payload)| payload.clone()).collect()
    }

    /// Every reading, in the order of arrival; all must be valid.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        let decode = |payload: Vec<u8>| {
            let telemetry = decode_telemetry(&self.device, &payload).unwrap();
            assert_eq!(telemetry.rejected, []);
            telemetry.readings
        };
        self.payloads(Channel::Telemetry).into_iter().flat_map(decode).collect()
    }

    /// The numbers of the readings of `epoch` in the order in which each arrived first.
    pub(crate) fn numbers(&self, epoch: &str) -> Vec<u64> {
        let mut numbers = vec![];
        for reading in self.readings() {
            let number = reading.seq.unwrap().get();
            if reading.boot_id.unwrap().to_string() == epoch && !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers
    }

    pub(crate) fn telemetry_messages(&self) -> usize {
        self.payloads(Channel::Telemetry).len()
    }

    pub(crate) fn statuses(&self) -> Vec<Status> {
        self.payloads(Channel::Status).iter().map(|payload| decode_json(payload).unwrap()).collect()
    }

    pub(crate) fn health(&self) -> Vec<Health> {
        self.payloads(Channel::Health).iter().map(|payload| decode_json(payload).unwrap()).collect()
    }

    pub(crate) fn responses(&self, id: &str) -> Vec<Response> {
        let all =
            self.payloads(Channel::Responses).into_iter().map(|payload| decode_json::<Response>(&payload).unwrap());
        all.filter(|response| response.id == id).collect()
    }

    pub(crate) async fn until_numbers(&self, epoch: &str, expected: std::ops::RangeInclusive<u64>) {
        let expected: Vec<u64> = expected.collect();
        let what = format!("readings {:?} to {:?} have arrived", expected.first(), expected.last());
        until(&what, || (self.numbers(epoch).len() >= expected.len()).then_some(())).await;
        assert_eq!(self.numbers(epoch), expected);
    }

    /// Sends a command; returns at once.
    pub(crate) async fn command(&self, payload: &str) {
        let topic = Topic::new(self.device.clone(), Channel::Commands).to_string();
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_owned()).await.unwrap();
    }

    /// The answers to a command up to the last one.
    pub(crate) async fn answers(&self, id: &str) -> Vec<Response> {
        use microkernel_wire::ResponseStatus::{Failed, Succeeded};
        until(&format!("command {id} is answered"), || {
            let responses = self.responses(id);
            responses.last().is_some_and(|last| matches!(last.status, Succeeded | Failed)).then_some(responses)
        })
        .await
    }
}
