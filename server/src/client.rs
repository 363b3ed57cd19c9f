//! A client of the REST API, for the command line: the same types as the server's, one method an operation.

use crate::api::{
    Deployments, Devices, GivenDeployments, NewDeployment, NewDeployments, Releases, Rollouts, TagChange, Tags,
};
use crate::deployments::{Deployment, DeploymentDetail};
use crate::registry::{Device, DeviceDetail};
use crate::releases::Release;
use crate::rollouts::{NewRollout, Rollout, RolloutDetail};
use crate::tags::{Tag, TagCount};
use crate::tls::install_provider;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take; an upload has no such limit.
const ANSWER: Duration = Duration::from_secs(60);
/// The body of a request that has none.
const NOTHING: Option<&()> = None;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No answer came.
    #[error("{url} can't be reached: is the server running? (--server names another)")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The server says no, and why.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The reason, and the remedy.
        detail: String,
    },
    /// What came is no answer of this API.
    #[error(
        "{url} answered {status} with something else than this program knows: is it a fleet server of this version?"
    )]
    Unexpected {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
}

/// A problem as the server tells it (RFC 9457).
#[derive(Deserialize)]
struct Told {
    detail: String,
}

/// Speaks to one server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// A client of the server at `base`, for example `http://127.0.0.1:4000`.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub(crate) fn new(base: &str) -> Result<Self, reqwest::Error> {
        install_provider();
        let http = reqwest::Client::builder().connect_timeout(CONNECT).build()?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http })
    }

    /// All releases, the newest first.
    ///
    /// # Errors
    /// [`ClientError`], as of every operation here.
    pub(crate) async fn releases(&self) -> Result<Vec<Release>, ClientError> {
        Ok(self.call::<Releases>(Method::GET, "/releases", NOTHING).await?.1.releases)
    }

    /// One release.
    pub(crate) async fn release(&self, id: i64) -> Result<Release, ClientError> {
        Ok(self.call(Method::GET, &format!("/releases/{id}"), NOTHING).await?.1)
    }

    /// Uploads a bundle of `size` bytes; whether it is a new release, and the release.
    pub(crate) async fn upload(&self, size: u64, bundle: Body) -> Result<(bool, Release), ClientError> {
        let request = self.http.post(self.url("/releases")).header(CONTENT_LENGTH, size).body(bundle);
        let (status, release) = self.send("/releases", request).await?;
        Ok((status == StatusCode::CREATED, release))
    }

    /// Deletes a release.
    pub(crate) async fn delete_release(&self, id: i64) -> Result<(), ClientError> {
        self.call::<()>(Method::DELETE, &format!("/releases/{id}"), NOTHING).await?;
        Ok(())
    }

    /// The newest rollouts.
    pub(crate) async fn rollouts(&self) -> Result<Vec<Rollout>, ClientError> {
        Ok(self.call::<Rollouts>(Method::GET, "/rollouts", NOTHING).await?.1.rollouts)
    }

    /// One rollout with its deployments and its log.
    pub(crate) async fn rollout(&self, id: i64) -> Result<RolloutDetail, ClientError> {
        Ok(self.call(Method::GET, &format!("/rollouts/{id}"), NOTHING).await?.1)
    }

    /// Makes a rollout.
    pub(crate) async fn create_rollout(&self, new: &NewRollout) -> Result<Rollout, ClientError> {
        Ok(self.call(Method::POST, "/rollouts", Some(new)).await?.1)
    }

    /// Does `action` (`pause`, `resume`, `cancel`, `retry`) to a rollout; the rollout afterwards, or the new one.
    pub(crate) async fn change_rollout(&self, id: i64, action: &str) -> Result<Rollout, ClientError> {
        Ok(self.call(Method::POST, &format!("/rollouts/{id}/{action}"), NOTHING).await?.1)
    }

    /// The newest deployments, of one device or of all.
    pub(crate) async fn deployments(&self, device: Option<&str>) -> Result<Vec<Deployment>, ClientError> {
        let path = device.map_or("/deployments".to_owned(), |device| format!("/devices/{}/deployments", part(device)));
        Ok(self.call::<Deployments>(Method::GET, &path, NOTHING).await?.1.deployments)
    }

    /// Gives one device a release, whatever it runs.
    pub(crate) async fn deploy(&self, device: &str, new: &NewDeployment) -> Result<DeploymentDetail, ClientError> {
        Ok(self.call(Method::POST, &format!("/devices/{}/deployments", part(device)), Some(new)).await?.1)
    }

    /// Gives several devices a release.
    pub(crate) async fn deploy_to(&self, new: &NewDeployments) -> Result<GivenDeployments, ClientError> {
        Ok(self.call(Method::POST, "/deployments", Some(new)).await?.1)
    }

    /// Cancels a deployment; whether that is done, or the device is asked.
    pub(crate) async fn cancel(
        &self,
        device: &str,
        id: i64,
        force: bool,
    ) -> Result<(bool, DeploymentDetail), ClientError> {
        let path = format!("/devices/{}/deployments/{id}/cancel", part(device));
        let (status, deployment) = self.call(Method::POST, &path, Some(&serde_json::json!({ "force": force }))).await?;
        Ok((status == StatusCode::OK, deployment))
    }

    /// All devices.
    pub(crate) async fn devices(&self) -> Result<Vec<Device>, ClientError> {
        Ok(self.call::<Devices>(Method::GET, "/devices", NOTHING).await?.1.devices)
    }

    /// One device.
    pub(crate) async fn device(&self, id: &str) -> Result<DeviceDetail, ClientError> {
        Ok(self.call(Method::GET, &format!("/devices/{}", part(id)), NOTHING).await?.1)
    }

    /// Gives a tag to devices and takes it from others; all tags afterwards.
    pub(crate) async fn tag(&self, tag: &Tag, change: &TagChange) -> Result<Vec<TagCount>, ClientError> {
        Ok(self.call::<Tags>(Method::POST, &format!("/tags/{tag}"), Some(change)).await?.1.tags)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(StatusCode, T), ClientError> {
        let mut request = self.http.request(method, self.url(path)).timeout(ANSWER);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(path, request).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        request: RequestBuilder,
    ) -> Result<(StatusCode, T), ClientError> {
        let unreachable =
            |source: reqwest::Error| ClientError::Unreachable { url: self.url(path), source: source.without_url() };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        let unexpected = || ClientError::Unexpected { url: self.url(path), status };
        if !status.is_success() {
            let Told { detail } = serde_json::from_slice(&body).map_err(|_| unexpected())?;
            return Err(ClientError::Refused { status, detail });
        }
        // No content is the JSON of nothing.
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        Ok((status, serde_json::from_slice(body).map_err(|_| unexpected())?))
    }
}

/// A part of a path.
fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
