//! The HTTPS listener that devices use: TLS with a client certificate where the device has one.
//!
//! A certificate that is shown must descend from the CA and be valid, or the handshake fails; none at all is left to the
//! handlers, which then ask for a token. Handshakes run side by side, each with a deadline, so that a peer that
//! dawdles holds up nobody.

use crate::config::TlsFiles;
use crate::tls::{TlsError, server_config};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once; more connections wait in the system's queue.
const HANDSHAKES: usize = 256;
/// Pause after the system could not accept a connection, for example for want of file descriptors.
const RETRY: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// The common name of its certificate, which the CA has issued; `None` without one.
    pub common_name: Option<Arc<str>>,
}

/// Accepts TLS connections.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, Peer)>,
    _accepting: AbortOnDropHandle<()>,
}

impl TlsListener {
    /// Begins to accept on `listener` with the certificate in `files`, and client certificates of the CA in them; and
    /// what reads the files again.
    ///
    /// # Errors
    /// A file can't be used; the listener has no address.
    pub fn start(listener: TcpListener, files: TlsFiles) -> Result<(Self, Reload), TlsListenerError> {
        let (configs, config) = watch::channel(Arc::new(server_config(&files)?));
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(HANDSHAKES);
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, config, done)));
        Ok((Self { address, ready, _accepting: accepting }, Reload { files, configs }))
    }
}

/// Reads the files of a listener again: for a certificate that was renewed.
#[derive(Debug)]
pub struct Reload {
    files: TlsFiles,
    configs: watch::Sender<Arc<ServerConfig>>,
}

impl Reload {
    /// Connections from now on see what the files hold now; those that are open stay as they are.
    ///
    /// # Errors
    /// A file can't be used: nothing is changed.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.configs.send_replace(Arc::new(server_config(&self.files)?));
        Ok(())
    }
}

/// Why devices can't be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsListenerError {
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The socket can't be used.
    #[error("the HTTPS socket can't be used: {0}")]
    Socket(#[from] io::Error),
}

async fn accept(
    listener: TcpListener,
    configs: watch::Receiver<Arc<ServerConfig>>,
    done: mpsc::Sender<(TlsStream<TcpStream>, Peer)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!("no connection could be accepted: {error}");
                sleep(RETRY).await;
                continue;
            }
        };
        let (acceptor, done) = (TlsAcceptor::from(configs.borrow().clone()), done.clone());
        tokio::spawn(async move {
            let _place = place;
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let peer = Peer { address, common_name: common_name(&stream) };
                    drop(done.send((stream, peer)).await);
                }
                Ok(Err(error)) => tracing::debug!("no TLS with {address}: {error}"),
                Err(_) => tracing::debug!("no TLS with {address}: it took too long"),
            }
        });
    }
}

/// The common name in the certificate that the peer has proved to own.
fn common_name(stream: &TlsStream<TcpStream>) -> Option<Arc<str>> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    // Two names would leave open which one was meant.
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok().map(Arc::from),
        _ => None,
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task ends with this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Peer { address: self.address, common_name: None })
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.remote_addr().clone()
    }
}
