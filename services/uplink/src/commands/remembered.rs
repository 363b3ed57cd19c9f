//! Which commands were carried out lately, with the last answer to each.

use microkernel_wire::Response;
use std::collections::{HashMap, VecDeque};

/// So many commands are remembered; a redelivery comes within moments of a reconnection.
const CAPACITY: usize = 256;

/// A longer detail is not kept.
const MAX_DETAIL_BYTES: usize = 4 * 1024;

/// A bounded memory of ids; the oldest is forgotten first.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    answers: HashMap<String, Response>,
    order: VecDeque<String>,
}

impl Remembered {
    /// Keeps the last answer to a command.
    pub(super) fn remember(&mut self, response: &Response) {
        let mut response = response.clone();
        if response.detail.as_ref().is_some_and(|detail| detail.to_string().len() > MAX_DETAIL_BYTES) {
            response.detail = Some("was answered before; the answer is too long to be repeated".into());
        }
        let id = response.id.clone();
        if self.answers.insert(id.clone(), response).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }

    /// The last answer to the command `id`, if it came before.
    pub(super) fn answer(&self, id: &str) -> Option<Response> {
        self.answers.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use microkernel_wire::{CommandName, ResponseStatus};

    fn response(id: usize, status: ResponseStatus) -> Response {
        Response { id: id.to_string(), command: CommandName::Identify, status, detail: None, timestamp: None }
    }

    #[test]
    fn the_last_answer_is_the_one_that_is_kept() {
        let mut remembered = Remembered::default();
        remembered.remember(&response(1, ResponseStatus::Accepted));
        remembered.remember(&response(1, ResponseStatus::Failed));
        assert_eq!(remembered.answer("1").unwrap().status, ResponseStatus::Failed);
        assert_eq!(remembered.answer("2"), None);
    }

    #[test]
    fn memory_is_bounded_in_number_and_length() {
        let mut remembered = Remembered::default();
        for id in 0..CAPACITY + 10 {
            remembered.remember(&response(id, ResponseStatus::Succeeded));
        }
        assert_eq!(remembered.answer("9"), None);
        assert!(remembered.answer("10").is_some());
        assert_eq!(remembered.answers.len(), CAPACITY);

        let long = Response { detail: Some("x".repeat(100_000).into()), ..response(7, ResponseStatus::Succeeded) };
        remembered.remember(&long);
        assert!(remembered.answer("7").unwrap().detail.unwrap().to_string().len() < MAX_DETAIL_BYTES);
    }
}
