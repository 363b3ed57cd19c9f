//! Carries out what the machine decides.

use super::Agent;
use crate::{
    ddi::Feedback,
    machine::{Action, ActionId, Deployment, Event, Failure, Outcome, Transport},
};
use microkernel_bus::{logind::LogindProxy, ml::ScorerProxy, rauc::BundleAccess, wasm::TransformerProxy};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A reboot that has not come after this long is asked for again.
const REBOOT_INTERVAL: Duration = Duration::from_secs(60);
/// How long a service may take to load its scripts or models anew.
const RELOAD_DEADLINE: Duration = Duration::from_secs(10);

impl Agent {
    pub(super) async fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Download(deployment) => self.begin_download(deployment),
            Action::Check(deployment) => {
                let (source, access) = self.source(&deployment);
                self.work = Some(Box::pin(self.installer.clone().check(source, access)));
            }
            Action::Install(deployment) => {
                let ((source, access), progress) = (self.source(&deployment), self.progress.clone());
                self.work = Some(Box::pin(self.installer.clone().install(source, access, progress)));
            }
            Action::Watch => self.work = Some(Box::pin(self.installer.clone().watch(self.progress.clone()))),
            Action::KeepRunningSlot => self.keep_running_slot().await,
            Action::TakeUpArtifacts => self.take_up_artifacts().await,
            Action::Reboot => self.reboot().await,
            Action::Discard => self.discard(),
            Action::Tell(action, stage, text) => {
                tracing::info!("action {action}: {text}");
                self.tell(&action, &Feedback::stage(stage, &text)).await;
            }
            Action::Report(action, outcome) => return self.report(action, &outcome).await,
            Action::AnswerCancel(action, answer) => {
                tracing::info!("action {action} is to be cancelled: {answer:?}");
                if let Err(error) = self.client.answer_cancel(&action, &Feedback::cancel(&answer)).await {
                    tracing::warn!("the server was not answered: {error}");
                }
            }
        }
        None
    }

    fn begin_download(&mut self, deployment: Deployment) {
        let (download, client, progress) = (self.download.clone(), self.client.clone(), self.progress.clone());
        self.work = Some(Box::pin(async move {
            let result = download.fetch(&client, &deployment.artifact, &progress).await;
            Event::Downloaded(result.map_err(|error| Failure { reason: error.to_string(), is_final: error.is_final() }))
        }));
    }

    fn source(&self, deployment: &Deployment) -> (String, BundleAccess) {
        let artifact = &deployment.artifact;
        match self.settings.policy.transport {
            Transport::Stream => (artifact.url.clone(), self.client.bundle_access(&artifact.url)),
            Transport::File => (self.download.path(artifact).display().to_string(), Default::default()),
        }
    }

    async fn keep_running_slot(&self) {
        if let Err(error) = self.installer.keep_running_slot().await {
            tracing::error!("the running slot was not made the one to boot: {error}");
        }
    }

    /// A service that is not on this device, or not up, finds them when it starts.
    async fn take_up_artifacts(&self) {
        let connection = self.served.connection();
        let scripts = async { TransformerProxy::uncached(connection).await?.reload().await };
        let models = async { ScorerProxy::uncached(connection).await?.reload().await };
        let (scripts, models) = tokio::join!(timeout(RELOAD_DEADLINE, scripts), timeout(RELOAD_DEADLINE, models));
        for (what, reloaded) in [("scripts", scripts), ("models", models)] {
            match reloaded {
                Ok(Ok(())) => tracing::info!("{what} were loaded anew"),
                Ok(Err(error)) if error.is_absent() => tracing::debug!("nobody uses {what}: {error}"),
                Ok(Err(error)) => tracing::warn!("{what} were not loaded anew: {error}"),
                Err(_) => tracing::warn!("{what} were not loaded anew within {RELOAD_DEADLINE:?}"),
            }
        }
    }

    async fn reboot(&mut self) {
        if self.reboot_asked.is_some_and(|asked| asked.elapsed() < REBOOT_INTERVAL) {
            return;
        }
        self.reboot_asked = Some(Instant::now());
        let logind = LogindProxy::uncached(self.served.connection()).await;
        let asked = match logind {
            Ok(logind) => logind.reboot(false).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = asked {
            tracing::error!("the reboot was refused: {error}");
            self.trouble = format!("the reboot was refused: {error}");
        }
    }

    fn discard(&mut self) {
        self.work = None;
        if let Err(error) = self.download.discard() {
            tracing::warn!("what was downloaded was not deleted: {error}");
        }
    }

    pub(super) async fn tell(&self, action: &ActionId, feedback: &Feedback) {
        if let Err(error) = self.client.tell(action, feedback).await {
            tracing::warn!("the server was not told: {error}");
        }
    }

    async fn report(&mut self, action: ActionId, outcome: &Outcome) -> Option<Event> {
        tracing::info!("action {action} is over: {outcome:?}");
        match self.client.tell(&action, &Feedback::outcome(outcome)).await {
            Ok(()) => Some(Event::Reported(action)),
            Err(error) if error.is_refusal() => {
                tracing::warn!("the server does not want the outcome: {error}");
                Some(Event::Reported(action))
            }
            Err(error) => {
                tracing::warn!("the outcome was not reported: {error}; it is after the next poll");
                None
            }
        }
    }
}
