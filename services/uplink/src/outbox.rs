//! What waits for the broker beside the readings: answers to commands, and the newest health report.

use microkernel_wire::{Health, Response};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The most answers that wait; then the oldest are dropped, which is logged.
const MAX_RESPONSES: usize = 1_000;

/// Answers wait until they are acknowledged. Of health reports only the newest waits: an old one tells nothing.
#[derive(Debug, Default)]
pub struct Outbox {
    content: Mutex<Content>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Content {
    responses: VecDeque<Response>,
    health: Option<Health>,
}

impl Outbox {
    /// Puts an answer behind those that wait.
    pub fn respond(&self, response: Response) {
        let mut content = self.lock();
        content.responses.push_back(response);
        if content.responses.len() > MAX_RESPONSES
            && let Some(dropped) = content.responses.pop_front()
        {
            tracing::warn!(id = dropped.id, "dropped an answer to a command: {MAX_RESPONSES} wait for the broker");
        }
        self.changed.notify_one();
    }

    /// Replaces the health report that waits, if any.
    pub fn report(&self, health: Health) {
        self.lock().health = Some(health);
        self.changed.notify_one();
    }

    /// Takes the oldest answer.
    pub fn take_response(&self) -> Option<Response> {
        self.lock().responses.pop_front()
    }

    /// Takes the health report.
    pub fn take_health(&self) -> Option<Health> {
        self.lock().health.take()
    }

    /// Puts back answers that were taken and not acknowledged, before all others; `responses` is oldest first.
    pub fn put_back(&self, responses: Vec<Response>) {
        let mut content = self.lock();
        for response in responses.into_iter().rev() {
            content.responses.push_front(response);
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        let content = self.lock();
        content.responses.is_empty() && content.health.is_none()
    }

    /// Resolves when something was put in since the last time. For one task; cancel-safe.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use microkernel_wire::{CommandName, ResponseStatus};

    fn response(number: usize) -> Response {
        Response {
            id: number.to_string(),
            command: CommandName::Identify,
            status: ResponseStatus::Accepted,
            detail: None,
            timestamp: None,
        }
    }

    #[test]
    fn answers_that_were_not_acknowledged_come_first_again() {
        let outbox = Outbox::default();
        (0..4).for_each(|number| outbox.respond(response(number)));
        let taken = vec![outbox.take_response().unwrap(), outbox.take_response().unwrap()];
        outbox.put_back(taken);
        let order: Vec<String> = std::iter::from_fn(|| outbox.take_response()).map(|response| response.id).collect();
        assert_eq!(order, ["0", "1", "2", "3"]);
    }

    #[test]
    fn the_number_of_answers_is_bounded() {
        let outbox = Outbox::default();
        (0..MAX_RESPONSES + 5).for_each(|number| outbox.respond(response(number)));
        assert_eq!(outbox.take_response().unwrap().id, "5");
    }

    #[test]
    fn only_the_newest_health_report_waits() {
        let outbox = Outbox::default();
        outbox.report(Health { uptime_seconds: Some(1.0), ..Health::default() });
        outbox.report(Health { uptime_seconds: Some(2.0), ..Health::default() });
        assert_eq!(outbox.take_health().unwrap().uptime_seconds, Some(2.0));
        assert!(outbox.is_empty());
    }
}
