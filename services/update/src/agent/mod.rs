//! Carries out what the state machine decides: keeps its journal, runs its actions, feeds it with what happens.

mod actions;
mod view;

use crate::{
    ddi::{Client, DdiError, Download, Feedback, Poll},
    installer::Installer,
    journal_file::{JournalError, JournalFile},
    machine::{Action, ActionId, Context, Device, Event, Evidence, Hold, Journal, Stage, State, next},
    on_bus::OnBus,
    schedule::Schedule,
    settings::Settings,
    system::System,
};
use futures_util::future::BoxFuture;
use jiff::ZonedDateTime;
use microkernel_bus::{Served, update::Agent as Interface};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// The server is told of progress in steps of so many percent: it keeps every message.
const PROGRESS_STEP: u32 = 10;
/// How often conditions are looked at again: RAUC runs the boot loader's programs for it.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

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
    /// The trouble that the server was told of last, and with which action: once is enough.
    told_trouble: Option<(ActionId, String)>,
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
            told_trouble: None,
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

    /// What is of no use at present, and why, before anything was decided: then nothing will be.
    pub fn obstacle(&self) -> Option<&str> {
        (!self.in_step).then_some(self.trouble.as_str())
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
        let (action, feedback) =
            (work.deployment.action.clone(), Feedback::progress(self.journal.state.name(), progress));
        self.tell(&action, &feedback).await;
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
                if self.in_step {
                    self.trouble.clear();
                }
                let offered = offer.action().cloned();
                self.handle(Event::Polled(offer)).await;
                self.tell_trouble(offered).await;
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

    /// Tells the server why what it offers is not begun.
    async fn tell_trouble(&mut self, offered: Option<ActionId>) {
        let trouble = offered.filter(|_| !self.trouble.is_empty()).map(|action| (action, self.trouble.clone()));
        if let Some((action, trouble)) = trouble.as_ref().filter(|_| self.told_trouble != trouble) {
            self.tell(action, &Feedback::stage(Stage::Scheduled, &format!("not begun: {trouble}"))).await;
        }
        self.told_trouble = trouble;
    }

    fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = self.settings.attributes.clone();
        let (version, slot) = (self.device.version.clone(), self.slot());
        let known = [("version", version), ("slot", slot), ("compatible", self.device.compatible.clone())];
        attributes.extend(known.map(|(key, value)| (key.to_owned(), value)));
        attributes
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
            if let State::Held { work, why: Hold::Retry(_) } = &journal.state {
                self.next_poll = self.next_poll.min(Instant::now() + self.schedule.after_attempt(work.failures));
            }
        }
        self.journal = journal;
    }
}
