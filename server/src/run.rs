//! Assembles the server: database, migrations, broker, ingest, HTTP; and takes it down in reverse.

use crate::cli::ServeArguments;
use crate::config::{Broker, Database, Settings};
use crate::data_dir::DataDir;
use crate::embedded::{Authority, EmbeddedBroker, EmbeddedPostgres, Host, Ports, bind};
use crate::endpoints::Endpoints;
use anyhow::Context as _;
use axum::Router;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::future::IntoFuture as _;
use std::io::IsTerminal as _;
use std::net::TcpListener;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Connections of one server process: PostgreSQL's default limit of 100 leaves room for several.
const POOL_MAX_CONNECTIONS: u32 = 20;
/// How long a query may wait for a connection before it fails.
const POOL_PATIENCE: Duration = Duration::from_secs(5);
/// How long requests that are being answered may take at shutdown; streams are cut after that.
const HTTP_DRAIN: Duration = Duration::from_secs(3);

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

/// What was started and has to be ended, in this order.
#[derive(Default)]
struct Parts {
    postgres: Option<EmbeddedPostgres>,
    pool: Option<PgPool>,
    broker: Option<EmbeddedBroker>,
}

impl Parts {
    async fn stop(self) {
        if let Some(broker) = self.broker {
            broker.stop().await;
        }
        if let Some(pool) = self.pool {
            pool.close().await;
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
        Err(_) if shutdown.is_cancelled() => Ok(()),
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

    let database = match &settings.database {
        Database::Embedded { bin_dir } => {
            let started = EmbeddedPostgres::start(&host, bin_dir.as_deref()).await?;
            parts.postgres.insert(started).options()
        }
        Database::External(options) => (**options).clone(),
    };
    let pool = open_database(database).await?;
    parts.pool = Some(pool.clone());

    let (broker, ca_cert) = match &settings.broker {
        Broker::Embedded { port, program } => {
            let authority = Authority::open_or_create(data.path())?;
            let start = EmbeddedBroker::start(&host, program.as_deref(), *port, remembered.mqtts, &authority);
            let address = parts.broker.insert(start.await?).address();
            (address, Some(authority.certificate_path()))
        }
        Broker::External(address) => {
            if address.tls.is_none() {
                tracing::warn!("the connection to the broker is not encrypted (mqtt://)");
            }
            (address.clone(), address.tls.as_ref().map(|files| files.ca_cert.clone()))
        }
    };

    let http_address = http.local_addr()?;
    let ports = Ports {
        http: Some(http_address.port()),
        mqtts: parts.broker.as_ref().map(|_| broker.port).or(remembered.mqtts),
    };
    ports.save(data.path()).context("ports.json can't be written")?;
    let endpoints = Endpoints {
        http: format!("http://{http_address}"),
        mqtts: format!("{}:{}", broker.host, broker.port),
        postgres_url: parts.postgres.as_ref().map(EmbeddedPostgres::url),
        ca_cert,
    };
    serve_http(http, Router::new(), endpoints, data, shutdown).await
}

/// Connects and brings the schema up to date.
async fn open_database(options: PgConnectOptions) -> anyhow::Result<PgPool> {
    let name = format!(
        "the database at {}",
        options.get_socket().map_or_else(
            || format!("{}:{}", options.get_host(), options.get_port()),
            |socket| socket.display().to_string(),
        )
    );
    let pool = PgPoolOptions::new().max_connections(POOL_MAX_CONNECTIONS).acquire_timeout(POOL_PATIENCE);
    let pool = pool.connect_with(options).await.with_context(|| format!("{name} can't be reached"))?;
    sqlx::migrate!()
        .run(&pool)
        .await
        .with_context(|| format!("the schema of {name} could not be brought up to date"))?;
    Ok(pool)
}

/// Answers requests until `shutdown`; the endpoints are published as soon as it does.
async fn serve_http(
    listener: TcpListener,
    router: Router,
    endpoints: Endpoints,
    data: &DataDir,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());
    let _published = endpoints.publish(data.path()).context("endpoints.json can't be written")?;
    tracing::info!("ready: dashboard {}, broker {}", endpoints.http, endpoints.mqtts);

    tokio::select! {
        outcome = &mut server => return outcome?.context("the HTTP server failed"),
        () = shutdown.cancelled() => {}
    }
    // Event streams never end by themselves.
    if tokio::time::timeout(HTTP_DRAIN, &mut server).await.is_err() {
        server.abort();
    }
    Ok(())
}
