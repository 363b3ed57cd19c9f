//! The journal on the data partition.

use crate::machine::{ActionId, Concluded, Journal, Outcome, State};
use microkernel_daemon::replace_file;
use serde_json::Value;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Reads and replaces one file. After a power cut there is the old journal or the new one, whole.
#[derive(Debug, Clone)]
pub struct JournalFile {
    path: PathBuf,
}

/// Why the journal can't be kept.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {source}", path.display())]
pub struct JournalError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl JournalFile {
    /// The file in the agent's folder.
    pub fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join("journal.json") }
    }

    /// Reads it; an empty journal when there is none. One that can't be understood is set aside, and what can be is kept:
    /// after a rollback, it may be a newer version's.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn load(&self) -> Result<Journal, JournalError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Journal::default()),
            Err(source) => return Err(self.error("read", source)),
        };
        match serde_json::from_str(&text) {
            Ok(journal) => Ok(journal),
            Err(error) => {
                let aside = self.path.with_extension("bad");
                tracing::error!("{}: not a journal: {error}; moved to {}", self.path.display(), aside.display());
                fs::rename(&self.path, aside).map_err(|source| self.error("set aside", source))?;
                Ok(salvaged(&text))
            }
        }
    }

    /// Replaces it, and returns when it is on the disk.
    ///
    /// # Errors
    /// When it can't be written: the old one stays.
    pub fn save(&self, journal: &Journal) -> Result<(), JournalError> {
        serde_json::to_vec_pretty(journal)
            .map_err(io::Error::from)
            .and_then(|text| replace_file(&self.path, &text, 0o600))
            .map_err(|source| self.error("write", source))
    }

    fn error(&self, operation: &'static str, source: io::Error) -> JournalError {
        JournalError { operation, path: self.path.clone(), source }
    }
}

/// What can be understood of a journal that can't be as a whole. The action that was under way has failed: to begin it
/// again, without knowing how often that was done, could go on for ever.
fn salvaged(text: &str) -> Journal {
    let Ok(journal) = serde_json::from_str::<Value>(text) else { return Journal::default() };
    let each = |key: &str| journal[key].as_array().cloned().unwrap_or_default().into_iter();
    let under_way = ["/state/work/deployment/action", "/state/concluded/action"];
    let action = under_way.iter().find_map(|pointer| journal.pointer(pointer)?.as_str());
    let reason = "the state that was kept is not understood: another version of the agent wrote it";
    let state = action.map_or(State::Idle, |action| State::Reporting {
        concluded: Concluded { action: ActionId(action.to_owned()), outcome: Outcome::failure(reason) },
    });
    Journal {
        state,
        concluded: each("concluded").filter_map(|item| serde_json::from_value(item).ok()).collect(),
        setbacks: each("setbacks").filter_map(|item| serde_json::from_value(item).ok()).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let file = JournalFile::in_dir(&dir.path().join("update"));
        assert_eq!(file.load().unwrap(), Journal::default());
        let concluded = Concluded { action: ActionId("7".to_owned()), outcome: Outcome::failure("no") };
        let state = State::Reporting { concluded: concluded.clone() };
        let journal = Journal { state, concluded: [concluded].into(), ..Journal::default() };
        file.save(&journal).unwrap();
        assert_eq!(file.load().unwrap(), journal);
    }

    #[test]
    fn what_is_not_a_journal_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = JournalFile::in_dir(dir.path());
        for text in ["", "{", "[]", "{\"state\":{\"state\":\"dancing\"}}"] {
            fs::write(dir.path().join("journal.json"), text).unwrap();
            assert_eq!(file.load().unwrap(), Journal::default());
            assert_eq!(fs::read_to_string(dir.path().join("journal.bad")).unwrap(), text);
            assert!(!dir.path().join("journal.json").exists());
        }
    }

    #[test]
    fn of_a_newer_versions_journal_the_actions_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = JournalFile::in_dir(dir.path());
        let text = r#"{
            "state": {"state": "dancing", "work": {"deployment": {"action": "7"}, "partner": 1}},
            "concluded": [{"action": "5", "outcome": {"result": "cancelled"}}, {"action": "6", "outcome": {"result": "danced"}}],
            "setbacks": 3
        }"#;
        fs::write(dir.path().join("journal.json"), text).unwrap();
        let journal = file.load().unwrap();
        let State::Reporting { concluded } = &journal.state else { panic!("{journal:?}") };
        assert!(matches!((concluded.action.0.as_str(), &concluded.outcome), ("7", Outcome::Failure { .. })));
        assert_eq!(journal.outcome_of(&ActionId("5".to_owned())), Some(&Outcome::Cancelled));
    }

    #[test]
    fn a_journal_that_cannot_be_written_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = JournalFile::in_dir(dir.path());
        file.save(&Journal::default()).unwrap();
        fs::create_dir(dir.path().join("journal.new")).unwrap();
        let error = file.save(&Journal::default()).unwrap_err().to_string();
        assert!(error.contains("journal.json"), "{error}");
        assert_eq!(file.load().unwrap(), Journal::default());
    }
}
