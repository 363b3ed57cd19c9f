//! What the server sends. Unknown members are ignored; those that are needed and missing are said.

use crate::machine::{ActionId, Artifact, Deployment, Handling, Offer};
use reqwest::Url;
use serde::Deserialize;
use std::{collections::HashMap, time::Duration};

/// The shortest and the longest time between two polls that a server can ask for.
const POLL_INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;

/// The base resource.
#[derive(Debug, Deserialize)]
pub(super) struct Base {
    #[serde(default)]
    config: Config,
    #[serde(default, rename = "_links")]
    links: HashMap<String, Link>,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    polling: Polling,
}

#[derive(Debug, Default, Deserialize)]
struct Polling {
    sleep: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Link {
    href: String,
}

impl Base {
    /// When the server wants to be asked again; `None` when it does not say, or not in the form `HH:MM:SS`.
    pub(super) fn interval(&self) -> Option<Duration> {
        let sleep = self.config.polling.sleep.as_deref()?;
        let parts: Vec<u64> = sleep.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [hours, minutes, seconds] = parts[..] else { return None };
        let seconds = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
        Some(Duration::from_secs(seconds.clamp(*POLL_INTERVAL_SECONDS.start(), *POLL_INTERVAL_SECONDS.end())))
    }

    pub(super) fn link(&self, name: &str) -> Option<&str> {
        self.links.get(name).map(|link| link.href.as_str())
    }
}

/// A request to cancel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cancel {
    cancel_action: CancelAction,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelAction {
    stop_id: Id,
}

impl Cancel {
    pub(super) fn action(self) -> ActionId {
        self.cancel_action.stop_id.into()
    }
}

/// hawkBit sends texts; others send numbers.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(i64),
}

impl From<Id> for ActionId {
    fn from(id: Id) -> Self {
        match id {
            Id::Text(text) => Self(text),
            Id::Number(number) => Self(number.to_string()),
        }
    }
}

/// A deployment.
#[derive(Debug, Deserialize)]
pub(super) struct DeploymentBase {
    id: Id,
    deployment: Body,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    download: Wanted,
    #[serde(default)]
    update: Wanted,
    maintenance_window: Option<String>,
    #[serde(default)]
    chunks: Vec<Chunk>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Skip,
    #[default]
    Attempt,
    Forced,
}

impl From<Wanted> for Handling {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Skip => Self::Skip,
            Wanted::Attempt => Self::Attempt,
            Wanted::Forced => Self::Forced,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    version: String,
    #[serde(default)]
    artifacts: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    filename: String,
    size: Option<u64>,
    #[serde(default)]
    hashes: HashMap<String, String>,
    #[serde(default, rename = "_links")]
    links: HashMap<String, Link>,
}

impl DeploymentBase {
    /// What it offers: the one bundle (`*.raucb`), or the one file that there is.
    pub(super) fn offer(self) -> Offer {
        let action: ActionId = self.id.into();
        let body = self.deployment;
        let files: Vec<(&Chunk, &File)> =
            body.chunks.iter().flat_map(|chunk| chunk.artifacts.iter().map(move |file| (chunk, file))).collect();
        let bundles: Vec<_> = files.iter().filter(|(_, file)| file.filename.ends_with(".raucb")).collect();
        let (chunk, file) = match (&bundles[..], &files[..]) {
            ([bundle], _) => **bundle,
            ([], [file]) => *file,
            _ => {
                let reason = format!(
                    "expected one RAUC bundle (*.raucb) in the deployment, found {} among {} files",
                    bundles.len(),
                    files.len()
                );
                return Offer::Unusable { action, reason };
            }
        };
        let Some(link) = file.links.get("download").or_else(|| file.links.get("download-http")) else {
            let reason = format!("expected a download link for {}, found none", file.filename);
            return Offer::Unusable { action, reason };
        };
        if !Url::parse(&link.href).is_ok_and(|url| ["https", "http"].contains(&url.scheme())) {
            let reason = format!("expected an HTTPS link to {}, found {:?}", file.filename, link.href);
            return Offer::Unusable { action, reason };
        }
        Offer::Deployment(Deployment {
            action,
            version: chunk.version.clone(),
            artifact: Artifact {
                url: link.href.clone(),
                sha256: file.hashes.get("sha256").map(|hash| hash.to_lowercase()),
                size_bytes: file.size,
            },
            download: body.download.into(),
            update: body.update.into(),
            window_closed: body.maintenance_window.as_deref() == Some("unavailable"),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, from_value, json};

    fn interval(sleep: &str) -> Option<u64> {
        let base: Base = from_value(json!({"config": {"polling": {"sleep": sleep}}})).unwrap();
        base.interval().map(|interval| interval.as_secs())
    }

    #[test]
    fn the_interval_is_hours_minutes_seconds_within_reason() {
        for (sleep, seconds) in [
            ("00:05:00", Some(300)),
            ("12:00:00", Some(43_200)),
            ("00:00:00", Some(1)),
            ("99:00:00", Some(86_400)),
            ("99999999999999999999:00:00", None),
            ("18446744073709551615:00:00", None),
            ("5", None),
            ("-1:00:00", None),
            ("", None),
        ] {
            assert_eq!(interval(sleep), seconds, "{sleep}");
        }
    }

    fn offer(body: Value) -> Offer {
        from_value::<DeploymentBase>(body).unwrap().offer()
    }

    fn file(name: &str) -> Value {
        json!({"filename": name, "size": 11, "hashes": {"sha256": "ABC"}, "_links": {"download": {"href": "https://u/x"}}})
    }

    #[test]
    fn a_deployment_is_its_one_bundle() {
        let chunks = json!([{"part": "os", "version": "1.0.1", "artifacts": [file("notes.txt"), file("os.raucb")]}]);
        let body = json!({"id": 8, "deployment": {"download": "forced", "update": "skip",
            "maintenanceWindow": "unavailable", "chunks": chunks}, "actionHistory": {}});
        let Offer::Deployment(deployment) = offer(body) else { panic!() };
        assert_eq!((deployment.action.0.as_str(), deployment.version.as_str()), ("8", "1.0.1"));
        assert_eq!((deployment.download, deployment.update), (Handling::Forced, Handling::Skip));
        assert!(deployment.window_closed);
        assert_eq!(deployment.artifact.sha256.unwrap(), "abc");
    }

    #[test]
    fn a_deployment_without_one_bundle_is_unusable_and_says_why() {
        for (artifacts, expected) in [
            (json!([]), "found 0 among 0 files"),
            (json!([file("a.raucb"), file("b.raucb")]), "found 2 among 2 files"),
            (json!([file("a"), file("b")]), "found 0 among 2 files"),
            (json!([{"filename": "a.raucb"}]), "download link for a.raucb"),
            (json!([{"filename": "a", "_links": {"download": {"href": "/etc/shadow"}}}]), "found \"/etc/shadow\""),
            (json!([{"filename": "a", "_links": {"download": {"href": "file:///a"}}}]), "expected an HTTPS link"),
        ] {
            let offer = offer(json!({"id": "8", "deployment": {"chunks": [{"artifacts": artifacts}]}}));
            let Offer::Unusable { action, reason } = offer else { panic!("{offer:?}") };
            assert_eq!(action.0, "8");
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
