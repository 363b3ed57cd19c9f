//! A DDI server over HTTPS that wants the device's certificate, and that can be made to behave badly.

use super::{
    eventually,
    pki::{Authority, Identity},
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use futures_util::StreamExt;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How the server misbehaves.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    Status(StatusCode),
    Text(&'static str),
    /// The connection ends in the middle of the answer.
    BreaksOff,
    /// No answer for this long.
    Slow(Duration),
    /// An answer without end.
    Endless,
}

/// What the server has, and what it was told.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The action on offer, with the body of its deployment.
    pub(crate) offer: Option<(String, Value)>,
    pub(crate) cancel: Option<String>,
    pub(crate) fault: Option<Fault>,
    pub(crate) feedback_fault: Option<StatusCode>,
    pub(crate) files: HashMap<String, Bytes>,
    /// The next download breaks off after so many bytes.
    pub(crate) break_after: Option<usize>,
    /// The next download stops after so many bytes, and its connection stays.
    pub(crate) stall_after: Option<usize>,
    pub(crate) polls: u32,
    /// How long a device is to wait between two polls, as `HH:MM:SS`; a second unless said.
    pub(crate) sleep: Option<&'static str>,
    /// (`deploymentBase` or `cancelAction`, action, status).
    pub(crate) feedback: Vec<(String, String, Value)>,
    pub(crate) attributes: Option<Value>,
    /// The `Range` of each download.
    pub(crate) ranges: Vec<Option<String>>,
    pub(crate) authorizations: Vec<Option<String>>,
}

/// The server; it ends with the test's runtime.
pub(crate) struct Ddi {
    records: Arc<Mutex<Records>>,
    address: SocketAddr,
    authority: Authority,
}

impl Ddi {
    /// Devices prove who they are by certificate.
    pub(crate) async fn start() -> Self {
        Self::start_with(true).await
    }

    /// Devices prove who they are by token.
    pub(crate) async fn start_for_tokens() -> Self {
        Self::start_with(false).await
    }

    async fn start_with(client_certificates: bool) -> Self {
        let authority = Authority::new("Test CA");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let records = Arc::new(Mutex::new(Records::default()));
        let acceptor = TlsAcceptor::from(Arc::new(tls(&authority, client_certificates)));
        let state = Shared { records: records.clone(), base: format!("https://{address}") };
        tokio::spawn(async move { axum::serve(Tls { listener, acceptor }, router(state)).await });
        Self { records, address, authority }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn device_identity(&self) -> Identity {
        self.authority.issue("device-001", ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap()
    }

    /// Offers a bundle, as attempted or forced.
    pub(crate) fn offer(&self, action: &str, version: &str, update: &str, bundle: impl Into<Bytes>) {
        use sha2::{Digest, Sha256};
        let bundle = bundle.into();
        let name = format!("os-{version}.raucb");
        let sha256: String = Sha256::digest(&bundle).iter().map(|byte| format!("{byte:02x}")).collect();
        let artifact = json!({
            "filename": name,
            "size": bundle.len(),
            "hashes": {"sha256": sha256},
            "_links": {"download": {"href": format!("{}/files/{name}", self.url())}},
        });
        let deployment = json!({
            "id": action,
            "deployment": {
                "download": "attempt",
                "update": update,
                "chunks": [{"part": "os", "version": version, "name": "os", "artifacts": [artifact]}],
            },
        });
        let mut records = self.records();
        records.files.insert(name, bundle);
        records.offer = Some((action.to_owned(), deployment));
    }

    /// How the action ended: `success` or `failure`, with the details; waits for it.
    pub(crate) async fn outcome(&self, action: &str) -> (String, Vec<String>) {
        eventually(&format!("the outcome of action {action}"), async || {
            let records = self.records();
            let closed = records.feedback.iter().find(|(resource, of, status)| {
                resource == "deploymentBase" && of == action && status["execution"] == "closed"
            })?;
            Some((closed.2["result"]["finished"].as_str()?.to_owned(), details(&closed.2)))
        })
        .await
    }

    pub(crate) async fn until_polled(&self) {
        let before = self.records().polls;
        eventually("the next poll", async || (self.records().polls > before + 1).then_some(())).await;
    }

    /// Everything the server was told about an action, a line each.
    pub(crate) fn details(&self) -> Vec<String> {
        self.records().feedback.iter().flat_map(|(_, _, status)| details(status)).collect()
    }
}

fn details(status: &Value) -> Vec<String> {
    let details = status["details"].as_array().unwrap();
    details.iter().map(|detail| detail.as_str().unwrap().to_owned()).collect()
}

#[derive(Clone)]
struct Shared {
    records: Arc<Mutex<Records>>,
    base: String,
}

fn router(state: Shared) -> Router {
    Router::new()
        .route("/default/controller/v1/device-001", get(base))
        .route("/default/controller/v1/device-001/configData", put(attributes))
        .route("/default/controller/v1/device-001/deploymentBase/{action}", get(deployment))
        .route("/default/controller/v1/device-001/cancelAction/{action}", get(cancel))
        .route("/default/controller/v1/device-001/{resource}/{action}/feedback", post(feedback))
        .route("/files/{name}", get(file))
        .with_state(state)
}

async fn base(State(Shared { records, base }): State<Shared>, headers: HeaderMap) -> Response {
    let (fault, answer) = {
        let mut records = records.lock().unwrap();
        records.polls += 1;
        let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        records.authorizations.push(authorization);
        let link = |path: &str| json!({"href": format!("{base}/default/controller/v1/device-001/{path}")});
        let mut links = serde_json::Map::new();
        if let Some(action) = &records.cancel {
            links.insert("cancelAction".to_owned(), link(&format!("cancelAction/{action}")));
        } else if let Some((action, _)) = &records.offer {
            links.insert("deploymentBase".to_owned(), link(&format!("deploymentBase/{action}?c=1")));
        }
        if records.attributes.is_none() {
            links.insert("configData".to_owned(), link("configData"));
        }
        (
            records.fault.clone(),
            json!({"config": {"polling": {"sleep": records.sleep.unwrap_or("00:00:01")}}, "_links": links}),
        )
    };
    match fault {
        None => Json(answer).into_response(),
        Some(Fault::Status(status)) => status.into_response(),
        Some(Fault::Text(text)) => text.into_response(),
        Some(Fault::BreaksOff) => broken_off(Bytes::from(answer.to_string()), 20, StatusCode::OK),
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            Json(answer).into_response()
        }
        Some(Fault::Endless) => {
            let spaces = futures_util::stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from(vec![b' '; 65536])));
            Body::from_stream(spaces).into_response()
        }
    }
}

async fn deployment(State(Shared { records, .. }): State<Shared>, Path(action): Path<String>) -> Response {
    match &records.lock().unwrap().offer {
        Some((offered, body)) if *offered == action => Json(body.clone()).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn cancel(Path(action): Path<String>) -> Json<Value> {
    Json(json!({"id": action, "cancelAction": {"stopId": action}}))
}

async fn attributes(State(Shared { records, .. }): State<Shared>, Json(body): Json<Value>) {
    assert_eq!(body["mode"], "merge");
    records.lock().unwrap().attributes = Some(body["data"].clone());
}

/// As hawkBit: what is closed is not offered any more.
async fn feedback(
    State(Shared { records, .. }): State<Shared>,
    Path((resource, action)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> StatusCode {
    let mut records = records.lock().unwrap();
    if let Some(fault) = records.feedback_fault {
        return fault;
    }
    let status = body["status"].clone();
    let answers_cancel = resource == "cancelAction";
    if answers_cancel {
        records.cancel = None;
    }
    if status["execution"] == "closed" {
        records.offer.take_if(|(offered, _)| *offered == action);
    }
    records.feedback.push((resource, action, status));
    StatusCode::OK
}

async fn file(State(Shared { records, .. }): State<Shared>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let mut records = records.lock().unwrap();
    let range = headers.get(header::RANGE).map(|value| value.to_str().unwrap().to_owned());
    records.ranges.push(range.clone());
    let Some(bytes) = records.files.get(&name).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    let start: usize = range.map_or(0, |range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
    if start > 0 && start >= bytes.len() {
        return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    }
    let (status, rest) = (if start > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK }, bytes.slice(start..));
    let mut response = match (records.break_after.take(), records.stall_after.take()) {
        (Some(after), _) => broken_off(rest, after, status),
        (None, Some(after)) => stalled(&rest, after, status),
        (None, None) => (status, rest).into_response(),
    };
    if start > 0 {
        let value = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
        response.headers_mut().insert(header::CONTENT_RANGE, value.parse().unwrap());
    }
    response
}

/// Says how long it is, and ends earlier.
fn broken_off(body: Bytes, after: usize, status: StatusCode) -> Response {
    let length = body.len();
    let part = futures_util::stream::iter([Ok(body.slice(..after.min(length)))]);
    // What was sent is to arrive before the connection breaks.
    let end = futures_util::stream::once(async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Err(io::Error::other("broken off"))
    });
    let mut response = Body::from_stream(part.chain(end)).into_response();
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// Begins, and never ends.
fn stalled(body: &Bytes, after: usize, status: StatusCode) -> Response {
    let part = futures_util::stream::iter([Ok::<_, io::Error>(body.slice(..after))]);
    let mut response = Body::from_stream(part.chain(futures_util::stream::pending())).into_response();
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
    response
}

fn tls(authority: &Authority, client_certificates: bool) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let identity = authority.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if client_certificates {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    builder.with_single_cert(vec![certificate], key).unwrap()
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
