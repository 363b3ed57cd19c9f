//! The agent on the bus: `io.microkernel.Update1.Agent`.

use microkernel_bus::{Error, update::AgentBackend};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// How many callers may wait; more than that is not a nudge.
const WAITING_CALLERS: usize = 8;

/// What others see of the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Where it is.
    pub state: String,
    /// The slot that runs.
    pub slot: String,
    /// The version that runs.
    pub version: String,
    /// How far a download or an installation is, in percent.
    pub progress: u32,
    /// What went wrong last.
    pub last_error: String,
}

/// A caller's request.
#[derive(Debug)]
pub enum Request {
    /// Ask the server now.
    Check(oneshot::Sender<Result<(), Error>>),
    /// Install this version, which the server offers.
    Install(String, oneshot::Sender<Result<(), Error>>),
}

/// The bus's end: requests go to the agent, the view comes from it.
#[derive(Debug, Clone)]
pub struct OnBus {
    requests: mpsc::Sender<Request>,
    view: Arc<Mutex<View>>,
}

impl OnBus {
    /// Both ends.
    pub fn new() -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(WAITING_CALLERS);
        (Self { requests, view: Arc::default() }, receiver)
    }

    /// Shows `view`; whether it differs from what was shown.
    pub fn show(&self, view: View) -> bool {
        let mut shown = self.shown();
        let changed = *shown != view;
        *shown = view;
        changed
    }

    fn shown(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, request: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> Request) -> Result<(), Error> {
        let ended = || Error::Unavailable("the agent is ending".to_owned());
        let (sender, answer) = oneshot::channel();
        self.requests.try_send(request(sender)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Unavailable("too many callers are waiting already".to_owned()),
            mpsc::error::TrySendError::Closed(_) => ended(),
        })?;
        answer.await.map_err(|_| ended())?
    }
}

impl AgentBackend for OnBus {
    async fn check(&self) -> Result<(), Error> {
        self.ask(Request::Check).await
    }

    async fn install(&self, version: &str) -> Result<(), Error> {
        self.ask(|sender| Request::Install(version.to_owned(), sender)).await
    }

    fn state(&self) -> String {
        self.shown().state.clone()
    }

    fn slot(&self) -> String {
        self.shown().slot.clone()
    }

    fn version(&self) -> String {
        self.shown().version.clone()
    }

    fn progress(&self) -> u32 {
        self.shown().progress
    }

    fn last_error(&self) -> String {
        self.shown().last_error.clone()
    }
}
