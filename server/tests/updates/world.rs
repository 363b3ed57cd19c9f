//! A database, a broker and bundles of a test's own, and servers on them.

use crate::bundles::Signer;
use crate::description::Description;
use crate::device::Device;
use microkernel_server::config::{BrokerAddress, Requested};
use microkernel_server::data_dir::DataDir;
use microkernel_server::embedded::{Authority, EmbeddedBroker, EmbeddedPostgres, Host};
use microkernel_server::https::{Peer, TlsListener};
use microkernel_server::releases::{Bundles, Inspector, Place, Settings};
use microkernel_server::router::{device_router, router};
use microkernel_server::state::AppState;
use microkernel_server::web::ConnectionGuide;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longer than anything takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);
/// The largest bundle that a test's server takes.
pub(crate) const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the servers of a test have in common.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) signer: Signer,
    pub(crate) authority: Authority,
    broker: Option<EmbeddedBroker>,
    postgres: EmbeddedPostgres,
    host: Host,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        // The test's HTTP client has none of its own. It may be there: tests share a process under `cargo test`.
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::prepare(folder.path()).unwrap();
        let host = Host::new(&data, CancellationToken::new()).unwrap();
        let postgres = EmbeddedPostgres::start(&host, None).await.unwrap();
        let pool = pool(postgres.options()).await;
        sqlx::migrate!().run(&pool).await.unwrap();
        let authority = Authority::open_or_create(data.path()).unwrap();
        let signer = Signer::new(&folder.path().join("signer"));
        Self { pool, signer, authority, broker: None, postgres, host, folder }
    }

    /// With a broker, too.
    pub(crate) async fn start_with_broker() -> Self {
        let mut world = Self::start().await;
        let broker = EmbeddedBroker::start(&world.host, None, Requested::Explicit(0), None, &world.authority).await;
        world.broker = Some(broker.unwrap());
        world
    }

    /// The broker; where there is none, a port that nobody listens on.
    pub(crate) fn broker(&self) -> BrokerAddress {
        self.broker.as_ref().map_or_else(
            || BrokerAddress { host: "127.0.0.1".into(), port: 1, tls: None, share_group: None },
            EmbeddedBroker::address,
        )
    }

    pub(crate) async fn server(&self) -> Server {
        self.server_with(Inspector { program: "rauc".into(), keyring: self.signer.keyring() }).await
    }

    pub(crate) async fn server_with(&self, inspector: Inspector) -> Server {
        let settings = Settings {
            folder: self.folder.path().join("bundles"),
            place: Place::Folder,
            max_bytes: MAX_BYTES,
            inspector,
        };
        Server::start(self, settings).await
    }

    /// Folder of a device's certificate.
    pub(crate) fn certificate(&self, id: &str) -> PathBuf {
        let out = self.folder.path().join("issued").join(id);
        self.authority.issue_device(&id.parse().unwrap(), &out, true).unwrap();
        out
    }

    /// A device with a certificate.
    pub(crate) fn device(&self, server: &Server, id: &str) -> Device {
        Device::new(&server.https, id, Some(&self.certificate(id)), &self.authority.certificate_path())
    }

    /// Devices that the server knows, of this version.
    pub(crate) async fn known_devices(&self, ids: impl IntoIterator<Item = String>, version: &str) {
        for id in ids {
            sqlx::query("INSERT INTO devices (id, organisation_id, version) VALUES ($1, 1, $2)")
                .bind(id)
                .bind(version)
                .execute(&self.pool)
                .await
                .unwrap();
        }
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

/// A pool as a server has it.
async fn pool(database: PgConnectOptions) -> PgPool {
    let options = PgPoolOptions::new().max_connections(20).acquire_timeout(Duration::from_secs(20));
    options.connect_with(database).await.unwrap()
}

/// A running server: the same parts as in the program, in a runtime of its own, so that it can end as by kill -9.
pub(crate) struct Server {
    pub(crate) url: String,
    /// `127.0.0.1:port`
    pub(crate) https: String,
    description: Description,
    shutdown: CancellationToken,
    runtime: Option<Runtime>,
}

impl Server {
    async fn start(world: &World, settings: Settings) -> Self {
        let runtime = Runtime::new().unwrap();
        let shutdown = CancellationToken::new();
        let (database, broker, token) = (world.postgres.options(), world.broker(), shutdown.clone());
        let files = world.authority.https_server().unwrap();
        let start = runtime.handle().spawn(async move {
            let tasks = TaskTracker::new();
            // Connections end with the runtime that has made them.
            let pool = pool(database).await;
            let bundles = Bundles::open(settings).unwrap();
            let state = AppState::start(pool, &broker, "microkernel-server-test", bundles, &tasks, &token).unwrap();
            let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", http.local_addr().unwrap());
            tokio::spawn(axum::serve(http, router(state.clone(), ConnectionGuide::default())).into_future());
            let https = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = https.local_addr().unwrap().to_string();
            let (listener, _) = TlsListener::start(https, files).unwrap();
            let devices = device_router(state).into_make_service_with_connect_info::<Peer>();
            tokio::spawn(axum::serve(listener, devices).into_future());
            (url, address)
        });
        let (url, https) = start.await.unwrap();
        let description = Description::of(&url).await;
        Self { url, https, description, shutdown, runtime: Some(runtime) }
    }

    /// Ends in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Calls the API; what it answers must be as its description says.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = reqwest::Client::new().request(method.clone(), format!("{}/api/v1{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null);
        self.description.check(&method, &format!("/api/v1{path}"), status.as_u16(), &body);
        (status, body)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    pub(crate) async fn upload(&self, bundle: Vec<u8>) -> (StatusCode, Value) {
        let request = reqwest::Client::new().post(format!("{}/api/v1/releases", self.url)).body(bundle);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// A release of this version.
    pub(crate) async fn release(&self, world: &World, version: &str) -> i64 {
        let (status, release) = self.upload(world.signer.bundle(version, 300_000)).await;
        assert_eq!(status, 201, "{release}");
        release["id"].as_i64().unwrap()
    }

    /// Gives a device a release at once; the deployment's id.
    pub(crate) async fn deploy(&self, device: &str, release: i64) -> i64 {
        let deployment = self.post(&format!("/devices/{device}/deployments"), json!({"release": release})).await;
        deployment["id"].as_i64().unwrap()
    }

    pub(crate) async fn deployment(&self, device: &str, id: i64) -> Value {
        self.get(&format!("/devices/{device}/deployments/{id}")).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
