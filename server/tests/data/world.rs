//! A database and a broker of a test's own, and servers on them.

use crate::device::Device;
use axum::http::StatusCode;
use microkernel_server::config::{BrokerAddress, Requested};
use microkernel_server::data_dir::DataDir;
use microkernel_server::embedded::{Authority, EmbeddedBroker, EmbeddedPostgres, Host};
use microkernel_server::releases::{self, Bundles, Inspector, Place};
use microkernel_server::state::AppState;
use serde_json::Value;
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
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

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

/// Connections of the runtime that this is called in.
fn pool(database: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(5)).connect_lazy_with(database)
}

/// What the servers of a test have in common.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) broker: EmbeddedBroker,
    postgres: Option<EmbeddedPostgres>,
    authority: Authority,
    host: Host,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        // The test's HTTP client has none of its own. It may be there: tests share a process under `cargo test`.
        drop(rustls::crypto::ring::default_provider().install_default());
        // The first of a process wins; what a failed test logged is shown with it.
        let _ = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::DEBUG).try_init();
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::prepare(folder.path()).unwrap();
        let host = Host::new(&data, CancellationToken::new()).unwrap();
        let postgres = EmbeddedPostgres::start(&host, None).await.unwrap();
        let pool = pool(postgres.options());
        sqlx::migrate!().run(&pool).await.unwrap();
        let authority = Authority::open_or_create(data.path()).unwrap();
        let broker = EmbeddedBroker::start(&host, None, Requested::Explicit(0), None, &authority).await.unwrap();
        Self { pool, broker, postgres: Some(postgres), authority, host, folder }
    }

    /// A server that is connected to the broker.
    pub(crate) async fn server(&self) -> Server {
        self.server_on(&self.broker.address()).await
    }

    /// The same by another address of the broker.
    pub(crate) async fn server_on(&self, broker: &BrokerAddress) -> Server {
        let inspector = Inspector { program: "rauc".into(), keyring: self.folder.path().join("keyring.pem") };
        let folder = self.folder.path().join("bundles");
        let bundles =
            Bundles::open(releases::Settings { folder, place: Place::Folder, max_bytes: 0, inspector }).unwrap();
        Server::start((*self.pool.connect_options()).clone(), broker, bundles).await
    }

    /// A device with a certificate, connected to the broker.
    pub(crate) async fn device(&self, id: &str) -> Device {
        Device::connect(id, self.broker.address().port, self.certificate(id)).await
    }

    /// Folder of a device's certificate.
    pub(crate) fn certificate(&self, id: &str) -> PathBuf {
        let out = self.folder.path().join("issued").join(id);
        self.authority.issue_device(&id.parse().unwrap(), &out, true).unwrap();
        out
    }

    pub(crate) async fn stop_postgres(&mut self) {
        self.postgres.take().unwrap().stop().await;
    }

    pub(crate) async fn start_postgres(&mut self) {
        self.postgres = Some(EmbeddedPostgres::start(&self.host, None).await.unwrap());
    }

    /// Stops the broker and starts it again on the same port, after `pause`.
    pub(crate) async fn restart_broker(mut self, pause: Duration) -> Self {
        let port = Requested::Explicit(self.broker.address().port);
        self.broker.stop().await;
        tokio::time::sleep(pause).await;
        self.broker = EmbeddedBroker::start(&self.host, None, port, None, &self.authority).await.unwrap();
        self
    }

    /// A number from the database; `None` while it is away.
    pub(crate) async fn count(&self, sql: &'static str) -> Option<i64> {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.ok()
    }

    /// Waits until a count is as expected, and makes sure that it stays so for a moment.
    pub(crate) async fn settles(&self, sql: &'static str, expected: i64) {
        eventually(&format!("{sql} = {expected}"), async || {
            let count = self.count(sql).await?;
            assert!(count <= expected, "{sql}: {count}, not {expected}");
            (count == expected).then_some(())
        })
        .await;
    }
}

/// A running server: the same parts as in the program, in a runtime of its own, so that it can end as by kill -9.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) state: AppState,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    runtime: Option<Runtime>,
}

impl Server {
    async fn start(database: PgConnectOptions, broker: &BrokerAddress, bundles: Bundles) -> Self {
        let runtime = Runtime::new().unwrap();
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let (handle, broker) = (runtime.handle().clone(), broker.clone());
        let (started_tasks, token) = (tasks.clone(), shutdown.clone());
        let start = handle.spawn(async move {
            let name = "microkernel-server-test";
            let state = AppState::start(pool(database), &broker, name, bundles, &started_tasks, &token).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let router = microkernel_server::api::router().with_state(state.clone());
            tokio::spawn(axum::serve(listener, router).into_future());
            (state, url)
        });
        let (state, url) = start.await.unwrap();
        let mut connected = state.broker.clone();
        tokio::time::timeout(DEADLINE, connected.wait_for(|connected| *connected)).await.unwrap().unwrap();
        Self { url, state, shutdown, tasks, runtime: Some(runtime) }
    }

    /// Ends in order.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(DEADLINE, self.tasks.wait()).await.expect("the server's tasks end");
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Ends in the middle of whatever it does.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// What the API answers.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
        (status, answer.json().await.unwrap())
    }

    /// What the API says of a device, as soon as it knows it.
    pub(crate) async fn device(&self, id: &str) -> Value {
        eventually("the device is known", async || {
            let (status, device) = self.get(&format!("/api/v1/devices/{id}")).await;
            status.is_success().then_some(device)
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
