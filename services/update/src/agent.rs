//! Carries out what the state machine decides: keeps its journal, runs its actions, feeds it with what happens.

use crate::{
    ddi::{Client, DdiError, Download, Feedback, Poll},
    installer::Installer,
    journal_file::{JournalError, JournalFile},
    machine::{
        Action, ActionId, Context, Deployment, Device, Event, Evidence, Failure, Journal, Outcome, Stage, State,
        Transport, next,
    },
    on_bus::{OnBus, Request, View},
    schedule::Schedule,
    settings::Settings,
    system::System,
};
use futures_util::future::BoxFuture;
use jiff::ZonedDateTime;
use microkernel_bus::{Error, Served, logind::LogindProxy, update::Agent as Interface};
use std::{collections::VecDeque, path::PathBuf, time::Duration};
use tokio::{sync::watch, time::Instant};

/// The server is told of progress in steps of so many percent: it keeps every message.
const PROGRESS_STEP: u32 = 10;
/// How often conditions are looked at again: RAUC runs the boot loader's programs for it.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// A reboot that has not come after this long is asked for again.
const REBOOT_INTERVAL: Duration = Duration::from_secs(60);

/// The agent.
pub struct Agent {
    settings: Settings,
    client: Client,
    installer: Installer,
    served: Served<Interface<OnBus>>,
    on_bus: OnBus,
    journal_file: JournalFile,
    journal: Journal,
    download: Download,
    system: System,
    evidence: Evidence,
    device: Device,
    schedule: Schedule,
    next_poll: Instant,
    /// Whether the machine has been told what this boot is: until then nothing else may be decided.
    in_step: bool,
    /// What was begun and will end with an event.
    work: Option<BoxFuture<'static, Event>>,
    progress: watch::Sender<u32>,
    told_progress: u32,
    reboot_asked: Option<Instant>,
    looked: Option<Instant>,
    /// Why the server, RAUC or the disk is of no use at present; empty when they are.
    trouble: String,
}

impl Agent {
    /// An agent with its journal.
    ///
    /// # Errors
    /// When the journal or the name of the boot can't be read.
    #[expect(clippy::too_many_arguments, reason = "the one place where the parts come together")]
    pub fn new(
        client: Client,
        installer: Installer,
        journal_file: JournalFile,
        download_dir: PathBuf,
        system: System,
        settings: Settings,
        on_bus: OnBus,
        served: Served<Interface<OnBus>>,
    ) -> anyhow::Result<Self> {
        let schedule = Schedule::new(settings.poll_interval);
        let device = Device {
            compatible: String::new(),
            version: system.version().unwrap_or_default(),
            boot: system.boot_id()?,
            slots: Vec::new(),
            primary: None,
            installing: false,
            confirmed: false,
        };
        Ok(Self {
            journal: journal_file.load()?,
            evidence: system.evidence(),
            next_poll: Instant::now() + schedule.first(),
            download: Download::into_dir(download_dir),
            in_step: false,
            work: None,
            progress: watch::Sender::new(0),
            told_progress: 0,
            reboot_asked: None,
            looked: None,
            trouble: String::new(),
            settings,
            client,
            installer,
            served,
            on_bus,
            journal_file,
            system,
            device,
            schedule,
        })
    }

    /// When the server is to be asked.
    pub fn next_poll(&self) -> Instant {
        self.next_poll
    }

    /// Whether something is under way that will end with an event.
    pub fn is_working(&self) -> bool {
        self.work.is_some()
    }

    /// Takes another configuration, and the identity as it is now.
    pub fn reconfigure(&mut self, client: Client, settings: Settings) {
        self.schedule = Schedule::new(settings.poll_interval);
        self.next_poll = Instant::now() + self.schedule.first();
        (self.client, self.settings) = (client, settings);
    }

    /// Resolves with the event that ends what is under way. Cancel-safe.
    pub async fn work_done(&mut self) -> Event {
        let Some(work) = &mut self.work else { return std::future::pending().await };
        let event = work.await;
        self.work = None;
        event
    }

    /// Lets time have passed: catches up with RAUC after a start, looks at the conditions again.
    pub async fn tick(&mut self) {
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_INTERVAL);
        match self.journal.state {
            _ if !self.in_step && is_due => self.look(Event::Started).await,
            State::Idle | State::Reporting { .. } => {}
            State::Downloading { .. } | State::Checking { .. } | State::Installing { .. } => self.tell_progress().await,
            _ if is_due => self.look(Event::Tick).await,
            _ => {}
        }
    }

    async fn look(&mut self, event: Event) {
        self.looked = Some(Instant::now());
        self.handle(event).await;
    }

    async fn tell_progress(&mut self) {
        let progress = *self.progress.borrow();
        let Some(work) = self.journal.state.work().filter(|_| progress >= self.told_progress + PROGRESS_STEP) else {
            return;
        };
        self.told_progress = progress;
        let (action, text) = (work.deployment.action.clone(), format!("{}: {progress} %", self.journal.state.name()));
        self.tell(&action, Stage::Proceeding, &text).await;
    }

    /// Asks the server, and lets the machine have the answer.
    ///
    /// # Errors
    /// When there is no usable answer. It is logged, and the next poll is scheduled.
    pub async fn poll(&mut self) -> Result<(), DdiError> {
        let polled = self.client.poll().await;
        let wait = match &polled {
            Ok(poll) => self.schedule.after_success(poll.interval),
            Err(_) => self.schedule.after_failure(),
        };
        self.next_poll = Instant::now() + wait;
        match polled {
            Ok(Poll { offer, wants_attributes, .. }) => {
                self.trouble.clear();
                self.handle(Event::Polled(offer)).await;
                if let Some(url) = wants_attributes {
                    let attributes = self.attributes();
                    if let Err(error) = self.client.put_attributes(url, &attributes).await {
                        tracing::warn!("the server was not told about the device: {error}");
                    }
                }
                Ok(())
            }
            Err(error) => {
                tracing::warn!("{error}; asking again in {} s", wait.as_secs());
                self.trouble = error.to_string();
                Err(error)
            }
        }
    }

    fn attributes(&self) -> std::collections::BTreeMap<String, String> {
        let mut attributes = self.settings.attributes.clone();
        let (version, slot) = (self.device.version.clone(), self.slot());
        let known = [("version", version), ("slot", slot), ("compatible", self.device.compatible.clone())];
        attributes.extend(known.map(|(key, value)| (key.to_owned(), value)));
        attributes
    }

    /// Answers a caller on the bus.
    pub async fn answer(&mut self, request: Request) {
        let (sender, answer) = match request {
            Request::Check(sender) => (sender, self.check().await),
            Request::Install(version, sender) => (sender, self.install(&version).await),
        };
        // A caller that has gone does not want to know.
        let _ = sender.send(answer);
    }

    async fn check(&mut self) -> Result<(), Error> {
        match &self.journal.state {
            State::Idle | State::Held { .. } | State::Confirming { .. } | State::Reporting { .. } => {
                self.poll().await.map_err(|error| Error::Unavailable(error.to_string()))
            }
            state => Err(self.busy(state)),
        }
    }

    async fn install(&mut self, version: &str) -> Result<(), Error> {
        let offers = |state: &State| state.work().is_some_and(|work| work.deployment.version == version);
        self.check().await?;
        match &self.journal.state {
            State::Confirming { .. } | State::Reporting { .. } => Err(self.busy(&self.journal.state)),
            state if offers(state) => {
                self.handle(Event::Urged).await;
                Ok(())
            }
            state => {
                let offer = state.work().map_or("nothing", |work| &work.deployment.version);
                Err(Error::InvalidArgument(format!("{version} is not on offer; the server offers {offer}")))
            }
        }
    }

    fn busy(&self, state: &State) -> Error {
        let version = state.work().map(|work| work.deployment.version.clone()).unwrap_or_default();
        Error::Unavailable(format!("an update is under way: {} {version}", state.name()))
    }

    /// Lets the machine have an event, and does what it decides.
    pub async fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            match self.decide(event).await {
                Ok(actions) => {
                    for action in actions {
                        events.extend(self.carry_out(action).await);
                    }
                }
                Err(trouble) => {
                    // What was decided last is on the disk: it is taken up again from there.
                    if self.trouble != trouble {
                        tracing::error!("{trouble}");
                    }
                    self.trouble = trouble;
                    (self.in_step, self.work) = (false, None);
                    return;
                }
            }
        }
    }

    /// The decision is on the disk when this returns.
    async fn decide(&mut self, event: Event) -> Result<Vec<Action>, String> {
        let starting = event == Event::Started;
        if !self.in_step && !starting {
            return Ok(Vec::new());
        }
        self.device =
            self.installer.device(&self.device).await.map_err(|error| format!("RAUC can't be asked: {error}"))?;
        let context = Context {
            policy: &self.settings.policy,
            device: &self.device,
            window_open: self
                .settings
                .window
                .as_ref()
                .is_none_or(|window| window.is_open(ZonedDateTime::now().datetime())),
            evidence: &self.evidence,
        };
        let (journal, actions) = match next(&self.journal, event, &context) {
            Ok(step) => step,
            Err(illegal) => {
                tracing::warn!("{illegal}");
                return Ok(Vec::new());
            }
        };
        if journal != self.journal {
            self.journal_file.save(&journal).map_err(|error: JournalError| error.to_string())?;
        }
        self.enter(journal);
        if starting {
            (self.in_step, self.trouble) = (true, String::new());
        }
        Ok(actions)
    }

    fn enter(&mut self, journal: Journal) {
        let (before, now) = (self.journal.state.name(), journal.state.name());
        if before != now {
            tracing::info!("{before} -> {now}");
            // What was under way belongs to the state that ended.
            self.work = None;
            self.progress.send_replace(0);
            self.told_progress = 0;
        }
        self.journal = journal;
    }

    async fn carry_out(&mut self, action: Action) -> Option<Event> {
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
            Action::Reboot => self.reboot().await,
            Action::Discard => self.discard(),
            Action::Tell(action, stage, text) => {
                tracing::info!("action {action}: {text}");
                self.tell(&action, stage, &text).await;
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

    fn source(&self, deployment: &Deployment) -> (String, microkernel_bus::rauc::BundleAccess) {
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

    async fn tell(&self, action: &ActionId, stage: Stage, text: &str) {
        if let Err(error) = self.client.tell(action, &Feedback::stage(stage, text)).await {
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

    /// Shows on the bus where the agent is.
    pub async fn show(&self) {
        let view = View {
            state: self.journal.state.name().to_owned(),
            slot: self.slot(),
            version: self.device.version.clone(),
            progress: *self.progress.borrow(),
            last_error: self.last_error(),
        };
        if self.on_bus.show(view)
            && let Err(error) = self.served.update_changed().await
        {
            tracing::warn!("a change was not announced: {error}");
        }
    }

    fn slot(&self) -> String {
        let booted = self.device.booted().and_then(|slot| slot.bootname.clone());
        booted.or_else(|| self.system.slot()).unwrap_or_default()
    }

    fn last_error(&self) -> String {
        let failure = match &self.journal.state {
            State::Held { why, .. } => Some(why.to_string()),
            State::Reporting { concluded } => Some(failure_of(&concluded.outcome)),
            State::Idle => self.journal.concluded.back().map(|concluded| failure_of(&concluded.outcome)),
            _ => None,
        };
        if self.trouble.is_empty() { failure.unwrap_or_default() } else { self.trouble.clone() }
    }

    /// One line for the operator.
    pub fn status(&self) -> String {
        let version = self.journal.state.work().map(|work| format!(" {}", work.deployment.version)).unwrap_or_default();
        match self.last_error() {
            error if error.is_empty() => format!("{}{version}", self.journal.state.name()),
            error => format!("{}{version}; {error}", self.journal.state.name()),
        }
    }
}

fn failure_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failure { details } => details.join("; "),
        Outcome::Success { .. } | Outcome::Cancelled => String::new(),
    }
}
