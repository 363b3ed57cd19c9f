//! Asks the server.

use super::{
    DdiError, Feedback,
    error::causes,
    messages::{Base, Cancel, DeploymentBase},
    tls,
};
use crate::{
    machine::{ActionId, Offer},
    settings::Settings,
};
use futures_util::StreamExt;
use microkernel_bus::rauc::BundleAccess;
use reqwest::{
    RequestBuilder, Response, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
    redirect,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a question may take, with its answer. A poll with all that follows must fit into the service's watchdog time.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// How long a connection may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// How long a download may be without any data.
const STALL_DEADLINE: Duration = Duration::from_secs(60);
/// The largest answer that is read: an offer is a few kilobytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How the device proves who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Its certificate, in the TLS handshake.
    Certificate {
        /// The certificate, PEM.
        cert: PathBuf,
        /// Its private key, PEM.
        key: PathBuf,
    },
    /// hawkBit's token of this device.
    TargetToken(String),
    /// hawkBit's token of the tenant.
    GatewayToken(String),
}

// The tokens are secrets.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { cert, .. } => write!(f, "Certificate({})", cert.display()),
            Self::TargetToken(_) => f.write_str("TargetToken"),
            Self::GatewayToken(_) => f.write_str("GatewayToken"),
        }
    }
}

impl Credentials {
    fn authorization(&self) -> Option<String> {
        match self {
            Self::Certificate { .. } => None,
            Self::TargetToken(token) => Some(format!("TargetToken {token}")),
            Self::GatewayToken(token) => Some(format!("GatewayToken {token}")),
        }
    }
}

/// What the server said.
#[derive(Debug)]
pub struct Poll {
    /// When it wants to be asked again.
    pub interval: Option<Duration>,
    /// What it has for this device.
    pub offer: Offer,
    /// Where it wants to be told about the device.
    pub wants_attributes: Option<Url>,
}

/// A client of one device at one server.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    ca_cert: PathBuf,
    credentials: Credentials,
    questions: reqwest::Client,
    pub(super) downloads: reqwest::Client,
}

impl Client {
    /// A client with the device's identity as it is on the disk now.
    ///
    /// # Errors
    /// When a file of the identity is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Self, DdiError> {
        let tls = tls::client_config(&settings.ca_cert, &settings.credentials)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("microkernel-update/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_DEADLINE)
                .no_proxy()
        };
        let setup = |error: reqwest::Error| DdiError::Setup(causes(&error));
        // The API itself never redirects, and the token must not follow one.
        let questions =
            builder().timeout(REQUEST_DEADLINE).redirect(redirect::Policy::none()).build().map_err(setup)?;
        let downloads = builder().read_timeout(STALL_DEADLINE).build().map_err(setup)?;
        let mut base = settings.server.clone();
        base.path_segments_mut()
            .map_err(|()| DdiError::Setup(format!("{}: not a URL with a path", settings.server)))?
            .clear()
            .extend([&settings.tenant, "controller", "v1", &settings.controller]);
        let (ca_cert, credentials) = (settings.ca_cert.clone(), settings.credentials.clone());
        Ok(Self { base, ca_cert, credentials, questions, downloads })
    }

    /// Asks what the server has for this device.
    ///
    /// # Errors
    /// When it gives no usable answer.
    pub async fn poll(&self) -> Result<Poll, DdiError> {
        let base: Base = self.get(self.base.clone()).await?;
        let offer = if let Some(link) = base.link("cancelAction") {
            let cancel: Cancel = self.get(self.own(link)?).await?;
            Offer::Cancel(cancel.action())
        } else if let Some(link) = base.link("deploymentBase") {
            let deployment: DeploymentBase = self.get(self.own(link)?).await?;
            deployment.offer()
        } else {
            if base.link("confirmationBase").is_some() {
                tracing::info!("the server waits for somebody to confirm an update there");
            }
            Offer::Nothing
        };
        let wants_attributes = base.link("configData").map(|link| self.own(link)).transpose()?;
        Ok(Poll { interval: base.interval(), offer, wants_attributes })
    }

    /// Tells the server about an action.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn tell(&self, action: &ActionId, feedback: &Feedback) -> Result<(), DdiError> {
        self.post(self.below(&["deploymentBase", &action.0, "feedback"]), &feedback.body(&action.0)).await
    }

    /// Answers a request to cancel.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn answer_cancel(&self, action: &ActionId, feedback: &Feedback) -> Result<(), DdiError> {
        self.post(self.below(&["cancelAction", &action.0, "feedback"]), &feedback.body(&action.0)).await
    }

    /// Tells the server about the device.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn put_attributes(&self, url: Url, attributes: &BTreeMap<String, String>) -> Result<(), DdiError> {
        let body = json!({ "mode": "merge", "data": attributes });
        self.send("PUT", url.clone(), self.questions.put(url).json(&body)).await.map(drop)
    }

    /// How RAUC reads a bundle from there. What proves who the device is goes to the server only.
    pub fn bundle_access(&self, url: &str) -> BundleAccess {
        let text = |path: &Path| Some(path.to_string_lossy().into_owned());
        let mut access = BundleAccess { tls_ca: text(&self.ca_cert), ..BundleAccess::default() };
        if Url::parse(url).is_ok_and(|url| self.is_own(&url)) {
            if let Credentials::Certificate { cert, key } = &self.credentials {
                (access.tls_cert, access.tls_key) = (text(cert), text(key));
            }
            access.http_headers.extend(self.credentials.authorization().map(|value| format!("Authorization: {value}")));
        }
        access
    }

    /// The header that proves who the device is, where it is needed and may be sent.
    pub(super) fn headers_for(&self, url: &Url) -> HeaderMap {
        let value = self.credentials.authorization().filter(|_| self.is_own(url));
        let mut headers = HeaderMap::new();
        if let Some(mut value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }

    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// A link of the API. It must be to the server itself: what proves who the device is goes along.
    fn own(&self, link: &str) -> Result<Url, DdiError> {
        let problem = |problem: String| DdiError::Invalid { url: self.base.clone(), problem };
        let url = self.base.join(link).map_err(|error| problem(format!("expected a link, found {link:?}: {error}")))?;
        if self.is_own(&url) {
            Ok(url)
        } else {
            Err(problem(format!("expected a link to this server, found {link:?}")))
        }
    }

    fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, DdiError> {
        let request = self.questions.get(url.clone()).header(ACCEPT, "application/json");
        let response = self.send("GET", url.clone(), request).await?;
        let body = self.body(&url, response).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let beginning = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            DdiError::Invalid { url, problem: format!("expected JSON of the DDI API, found {beginning:?}: {error}") }
        })
    }

    async fn post(&self, url: Url, body: &Value) -> Result<(), DdiError> {
        self.send("POST", url.clone(), self.questions.post(url).json(body)).await.map(drop)
    }

    async fn send(&self, method: &'static str, url: Url, request: RequestBuilder) -> Result<Response, DdiError> {
        match request.headers(self.headers_for(&url)).send().await {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Err(DdiError::Status { method, url, status: response.status() }),
            Err(source) => Err(DdiError::Unreachable { method, url, source: source.without_url() }),
        }
    }

    async fn body(&self, url: &Url, response: Response) -> Result<Vec<u8>, DdiError> {
        let (mut body, mut stream) = (Vec::new(), response.bytes_stream());
        while let Some(part) = stream.next().await {
            let part = part.map_err(|source| DdiError::Unreachable {
                method: "GET",
                url: url.clone(),
                source: source.without_url(),
            })?;
            if body.len() + part.len() > MAX_ANSWER_BYTES {
                let problem = format!("expected at most {MAX_ANSWER_BYTES} bytes, found more");
                return Err(DdiError::Invalid { url: url.clone(), problem });
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }
}
