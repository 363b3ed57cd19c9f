//! What becomes of a message: delivered, refused, or cut off by the end of the connection.

use super::Session;
use crate::mqtt::failure::Failure;
use crate::mqtt::flow::{Action, Flow, Refusal};
use crate::mqtt::outgoing::{Outgoing, judge, remedy};
use rumqttc::v5::mqttbytes::v5::PubAck;
use std::time::Instant;

impl Session<'_> {
    pub(super) async fn acknowledged(&mut self, puback: &PubAck) -> Result<(), Failure> {
        let item = self.tracker.acknowledged(puback.pkid)?;
        match judge(puback.reason) {
            Ok(()) => self.delivered(item).await,
            Err(refusal) => self.refused(item, refusal, &format!("{:?}", puback.reason)).await,
        }
    }

    async fn delivered(&mut self, item: Outgoing) -> Result<(), Failure> {
        let Outgoing::Telemetry { batch, readings } = item else { return Ok(()) };
        self.link.state.spool.acknowledge(batch).await?;
        self.link.state.counters.published.add(readings as u64);
        let before = self.link.flow;
        self.link.flow = before.accepted();
        if self.link.flow == Flow::Open {
            self.link.report_error(String::new());
            if before != Flow::Open {
                tracing::info!("the broker takes telemetry again");
            }
        }
        Ok(())
    }

    pub(super) async fn refused(&mut self, item: Outgoing, refusal: Refusal, reason: &str) -> Result<(), Failure> {
        let Outgoing::Telemetry { batch, readings } = item else {
            // Whoever is not there has missed it; the status is retained and the next report follows.
            if refusal != Refusal::Unheard {
                let topic = self.topic(item.channel());
                tracing::error!("the broker refuses a message to {topic}: {reason}; {}", remedy(refusal));
            }
            return Ok(());
        };
        if refusal == Refusal::Unheard && !self.link.settings.link.require_subscriber {
            return self.delivered(item).await;
        }
        let (flow, action) = self.link.flow.refused(refusal, readings, Instant::now(), fastrand::f64());
        if flow != self.link.flow || action != Action::Release {
            let text = format!("the broker does not take telemetry: {reason}; {}", remedy(refusal));
            tracing::error!(readings, ?action, "{text}");
            self.link.report_error(text);
        }
        self.link.flow = flow;
        match action {
            Action::Release => self.link.state.spool.release(batch).await?,
            Action::Split => {
                self.link.message_readings = self.link.message_readings.min(readings / 2).max(1);
                self.link.state.spool.release(batch).await?;
            }
            Action::Discard => self.link.state.spool.discard(batch).await?,
        }
        Ok(())
    }

    /// Gives back what was not acknowledged.
    pub(super) async fn restore(&mut self) -> Result<(), Failure> {
        let mut responses = vec![];
        for item in self.tracker.drain() {
            match item {
                Outgoing::Telemetry { batch, .. } => self.link.state.spool.release(batch).await?,
                Outgoing::Response(response) => responses.push(*response),
                Outgoing::Health | Outgoing::Status => {}
            }
        }
        self.link.state.outbox.put_back(responses);
        Ok(())
    }
}
