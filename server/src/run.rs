//! Assembles the server: database, migrations, broker, ingest, HTTP; and takes it down in reverse.

use crate::cli::ServeArguments;
use crate::config::{Broker, Database, Settings};
use crate::data_dir::DataDir;
use crate::embedded::{Authority, EmbeddedBroker, EmbeddedPostgres, Host, Ports, SERVER_NAME, bind};
use crate::endpoints::Endpoints;
use crate::https::{Peer, Reload, TlsListener};
use crate::releases::{self, Bundles, Inspector};
use crate::router::{device_router, router};
use crate::state::AppState;
use crate::web::ConnectionGuide;
use anyhow::Context as _;
use axum::Router;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::future::IntoFuture as _;
use std::io::IsTerminal as _;
use std::net::TcpListener;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing_subscriber::EnvFilter;

/// Connections of one server process: PostgreSQL's default limit of 100 leaves room for several.
const POOL_MAX_CONNECTIONS: u32 = 20;
/// How long a query may wait for a connection before it fails.
const POOL_PATIENCE: Duration = Duration::from_secs(5);
/// How long requests that are being answered may take at shutdown; streams are cut after that.
const HTTP_DRAIN: Duration = Duration::from_secs(1);
/// How long the ingest may take at shutdown to store and acknowledge what it has begun.
const WORK_DRAIN: Duration = Duration::from_secs(10);
/// How long the start waits for the broker.
const BROKER_PATIENCE: Duration = Duration::from_secs(15);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What failed, its input and the remedy.
pub fn serve(arguments: ServeArguments) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let settings = Settings::from_arguments(arguments)?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime could not be started")?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        cancel_on_signal(shutdown.clone())?;
        run(settings, shutdown).await
    })
}

fn cancel_on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be handled")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down …");
        shutdown.cancel();
    });
    Ok(())
}

/// Reads the certificates of the devices' HTTPS again at each SIGHUP.
fn reload_on_signal(reload: Reload) -> anyhow::Result<AbortOnDropHandle<()>> {
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP can't be handled")?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match reload.reload() {
                Ok(()) => tracing::info!("the certificates of the devices' HTTPS were read again"),
                Err(error) => tracing::error!("the certificates of the devices' HTTPS stay as they are: {error}"),
            }
        }
    })))
}

/// What was started, in this order, and has to be ended in the reverse one.
#[derive(Default)]
struct Parts {
    postgres: Option<EmbeddedPostgres>,
    pool: Option<PgPool>,
    broker: Option<EmbeddedBroker>,
    /// The ingest and what else works in the background, and what ends it.
    work: TaskTracker,
    work_end: CancellationToken,
}

impl Parts {
    async fn stop(self) {
        self.work_end.cancel();
        self.work.close();
        if timeout(WORK_DRAIN, self.work.wait()).await.is_err() {
            tracing::warn!("the ingest did not end within {} s; the broker keeps what is left", WORK_DRAIN.as_secs());
        }
        if let Some(broker) = self.broker {
            broker.stop().await;
        }
        if let Some(pool) = self.pool {
            // An event stream may hold a connection for ever.
            drop(timeout(POOL_PATIENCE, pool.close()).await);
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await;
        }
    }
}

/// Serves until `shutdown` is cancelled.
///
/// # Errors
/// What failed, its input and the remedy.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let data = DataDir::prepare(&settings.data_dir)?;
    let _lock = data.lock()?;
    Endpoints::remove_stale(data.path()).context("endpoints.json of an earlier server can't be removed")?;

    let mut parts = Parts::default();
    let outcome = start_and_serve(&settings, &data, &shutdown, &mut parts).await;
    parts.stop().await;
    match outcome {
        // What was interrupted by the shutdown is no failure.
        Err(error) if shutdown.is_cancelled() => {
            tracing::debug!("interrupted: {error:#}");
            Ok(())
        }
        outcome => outcome,
    }
}

async fn start_and_serve(
    settings: &Settings,
    data: &DataDir,
    shutdown: &CancellationToken,
    parts: &mut Parts,
) -> anyhow::Result<()> {
    let host = Host::new(data, shutdown.clone())?;
    let remembered = Ports::load(data.path());
    // Taken first, so that a port in use is said before anything else is started.
    let http = bind("the dashboard", "--http", settings.http, remembered.http)?;
    let http_address = http.local_addr()?;
    let https = bind("the devices' HTTPS", "--https", settings.https, remembered.https)?;
    let https_address = https.local_addr()?;
    let bundles = open_bundles(settings, data)?;
    bundles.check().await.context("the storage of the bundles can't be used")?;

    let options = match &settings.database {
        Database::Embedded { bin_dir } => {
            let started = EmbeddedPostgres::start(&host, bin_dir.as_deref()).await?;
            parts.postgres.insert(started).options()
        }
        Database::External(options) => (**options).clone(),
    };
    let pool = parts.pool.insert(open_database(options).await?).clone();

    let authority = Authority::open_or_create(data.path())?.with_public_names(settings.public_names.clone());
    let broker = match &settings.broker {
        Broker::Embedded { port, program } => {
            let start = EmbeddedBroker::start(&host, program.as_deref(), *port, remembered.mqtts, &authority);
            parts.broker.insert(start.await?).address()
        }
        Broker::External(address) => {
            if address.tls.is_none() {
                tracing::warn!("the connection to the broker is not encrypted (mqtt://)");
            }
            address.clone()
        }
    };
    let mqtts = if parts.broker.is_some() { Some(broker.port) } else { remembered.mqtts };
    let ports = Ports { http: Some(http_address.port()), mqtts, https: Some(https_address.port()) };
    ports.save(data.path()).context("ports.json can't be written")?;

    let client_id = format!("{SERVER_NAME}-{}", data.instance()?);
    let state = AppState::start(pool, &broker, &client_id, bundles, &parts.work, &parts.work_end)?;
    wait_for_broker(state.broker.clone(), shutdown).await;

    let guide = ConnectionGuide {
        mqtt_host: Some(broker.host.clone()),
        mqtt_port: Some(broker.port),
        data_dir: parts.broker.as_ref().map(|_| data.path().to_owned()),
        program: std::env::current_exe().ok(),
    };
    let endpoints = Endpoints {
        http: format!("http://{http_address}"),
        https: format!("https://{https_address}"),
        mqtts: format!("{}:{}", broker.host, broker.port),
        postgres_url: parts.postgres.as_ref().map(EmbeddedPostgres::url),
        ca_cert: broker.tls.map(|files| files.ca_cert).or_else(|| Some(authority.certificate_path())),
    };
    https.set_nonblocking(true)?;
    let https_files = settings.https_files.complete(authority.https_server()?);
    let (https, reload) = TlsListener::start(tokio::net::TcpListener::from_std(https)?, https_files)?;
    let _reloading = reload_on_signal(reload)?;
    let devices = device_router(state.clone()).into_make_service_with_connect_info::<Peer>();
    // Cut at the shutdown: a device goes on with its download where it was.
    let devices = AbortOnDropHandle::new(tokio::spawn(axum::serve(https, devices).into_future()));
    let outcome = serve_http(http, router(state, guide), &endpoints, data, shutdown).await;
    drop(devices);
    outcome
}

/// The folder of the bundles, in which the keyring is looked for, too.
fn open_bundles(settings: &Settings, data: &DataDir) -> anyhow::Result<Bundles> {
    let crate::config::BundleSettings { place, max_bytes, keyring, rauc } = settings.bundles.clone();
    let folder = data.path().join("bundles");
    let inspector = Inspector { program: rauc, keyring: std::path::absolute(&keyring).unwrap_or(keyring) };
    Ok(Bundles::open(releases::Settings { folder, place, max_bytes, inspector })?)
}

/// Connects and brings the schema up to date.
async fn open_database(options: PgConnectOptions) -> anyhow::Result<PgPool> {
    let name = match options.get_socket() {
        Some(socket) => format!("the database at {}", socket.display()),
        None => format!("the database at {}:{}", options.get_host(), options.get_port()),
    };
    let pool = PgPoolOptions::new().max_connections(POOL_MAX_CONNECTIONS).acquire_timeout(POOL_PATIENCE);
    let pool = pool.connect_with(options).await.with_context(|| format!("{name} can't be reached"))?;
    sqlx::migrate!()
        .run(&pool)
        .await
        .with_context(|| format!("the schema of {name} could not be brought up to date"))?;
    Ok(pool)
}

/// Waits until the ingest has subscribed, so that nothing that is published to a server that says it is ready is lost.
/// A broker that is away does not keep the dashboard from being served.
async fn wait_for_broker(mut connected: watch::Receiver<bool>, shutdown: &CancellationToken) {
    let subscribed = async { connected.wait_for(|connected| *connected).await.is_ok() };
    tokio::select! {
        outcome = timeout(BROKER_PATIENCE, subscribed) => if !matches!(outcome, Ok(true)) {
            tracing::warn!("the broker can't be reached yet; it is tried again and again");
        },
        () = shutdown.cancelled() => {}
    }
}

/// Answers requests until `shutdown`; the endpoints are published as soon as it does.
async fn serve_http(
    listener: TcpListener,
    router: Router,
    endpoints: &Endpoints,
    data: &DataDir,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());
    let _published = endpoints.publish(data.path()).context("endpoints.json can't be written")?;
    tracing::info!("ready: dashboard {}, devices {}, broker {}", endpoints.http, endpoints.https, endpoints.mqtts);

    tokio::select! {
        outcome = &mut server => return outcome?.context("the HTTP server failed"),
        () = shutdown.cancelled() => {}
    }
    // Event streams never end by themselves.
    if timeout(HTTP_DRAIN, &mut server).await.is_err() {
        server.abort();
    }
    Ok(())
}
