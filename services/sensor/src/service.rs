//! What the service does on the bus.

use crate::config_files::{ApplyError, ConfigFiles};
use crate::recorder::Recorder;
use crate::roster::{Roster, Summary};
use crate::schedule::Interval;
use crate::settings::{CONFIGURATION, Settings};
use microkernel_bus::Error;
use microkernel_bus::sensor::{Batch, FeedBackend, SensorState};
use microkernel_daemon::config::{ConfigError, Loaded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The running service: the readings, the sensors, the files. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    recorder: Arc<Recorder>,
    files: Arc<ConfigFiles>,
    running: Arc<Mutex<Running>>,
    /// Held from reading the files to applying them, so that two who configure do not overtake each other.
    configuring: Arc<tokio::sync::Mutex<()>>,
}

struct Running {
    roster: Roster,
    /// What is wrong with the configuration while the last good one is in force.
    problem: Option<String>,
    /// How many configurations were refused.
    refused: u64,
}

impl Service {
    /// A service without sensors until it is configured.
    pub fn new(recorder: Arc<Recorder>, roster: Roster, files: ConfigFiles) -> Self {
        let running = Running { roster, problem: None, refused: 0 };
        Self { recorder, files: Arc::new(files), running: Arc::new(Mutex::new(running)), configuring: Arc::default() }
    }

    /// Reads the files and runs what they say, or the last good configuration when they are wrong.
    ///
    /// # Errors
    /// What is wrong, when there is no last good configuration; then nothing changes.
    pub async fn configure(&self) -> Result<(), ConfigError> {
        let _configuring = self.configuring.lock().await;
        match self.blocking(|files| files.load()).await {
            Ok(loaded) => self.run(loaded),
            Err(error) => {
                self.refuse(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    fn run(&self, loaded: Loaded<Settings>) {
        match loaded.problem {
            Some(problem) => self.refuse(&problem),
            None => self.running().problem = None,
        }
        self.running().roster.apply(&loaded.value);
    }

    fn refuse(&self, problem: &ConfigError) {
        tracing::error!("configuration refused, the last good one stays in force: {problem}");
        let mut running = self.running();
        running.problem = Some(problem.to_string());
        running.refused += 1;
    }

    /// Does file work where it does not hold up the bus.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&ConfigFiles) -> T + Send + 'static) -> T {
        let files = Arc::clone(&self.files);
        match tokio::task::spawn_blocking(move || work(&files)).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The readings.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Reports hung sensors and looks at the clock; returns a summary.
    pub fn check(&self) -> Summary {
        self.recorder.clock().refresh();
        let running = self.running();
        running.roster.check(std::time::Instant::now());
        running.roster.summary()
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        self.running().problem.clone()
    }

    /// Ends the sensors' threads; returns whether all have ended. To be called until then, or until it takes too long.
    pub fn stop(&self) -> bool {
        let running = self.running();
        running.roster.stop();
        running.roster.is_stopped()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedBackend for Service {
    async fn read_since(&self, epoch: &str, seq: u64, max: u32) -> Batch {
        self.recorder.read_since(epoch, seq, max)
    }

    /// Not kept: the next configuration that is applied, or a restart, brings back the configured rate.
    async fn set_interval(&self, sensor: &str, seconds: f64) -> Result<(), Error> {
        let interval =
            Interval::try_from(seconds).map_err(|error| Error::InvalidArgument(format!("seconds: {error}")))?;
        let mut running = self.running();
        if running.roster.set_interval(sensor, interval) {
            tracing::info!(sensor, seconds, "rate changed");
            return Ok(());
        }
        let names: Vec<_> = running.roster.states().into_iter().map(|state| state.name).collect();
        Err(Error::UnknownSensor(format!("no sensor '{sensor}', there is {}", names.join(", "))))
    }

    async fn apply_config(&self, toml: &str) -> Result<(), Error> {
        let _configuring = self.configuring.lock().await;
        let toml = toml.to_owned();
        match self.blocking(move |files| files.apply(&toml)).await {
            Ok(loaded) => {
                tracing::info!("configuration applied");
                self.run(loaded);
                Ok(())
            }
            Err(error @ ApplyError::Write { .. }) => Err(Error::Failed(error.to_string())),
            Err(error) => Err(Error::InvalidConfig(error.to_string())),
        }
    }

    fn epoch(&self) -> String {
        self.recorder.epoch()
    }

    fn newest_seq(&self) -> u64 {
        *self.recorder.newest_seq().borrow()
    }

    fn oldest_seq(&self) -> u64 {
        self.recorder.oldest_seq()
    }

    /// Every sensor; and, while a configuration is refused, an entry [`CONFIGURATION`] that says why.
    fn sensors(&self) -> Vec<SensorState> {
        let running = self.running();
        let mut states = running.roster.states();
        if let Some(problem) = &running.problem {
            states.push(SensorState {
                name: CONFIGURATION.to_owned(),
                driver: String::new(),
                address: String::new(),
                state: "failing".to_owned(),
                error: problem.clone(),
                // EINVAL: an invalid argument.
                errno: 22,
                failures: running.refused,
                readings: 0,
                interval_seconds: 0.0,
            });
        }
        states
    }
}
