//! A way to the broker that can be cut, and that can swallow what the server says while it still hears.

use microkernel_server::config::BrokerAddress;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The way; ends when dropped.
pub(crate) struct Proxy {
    pub(crate) address: BrokerAddress,
    deaf: watch::Sender<bool>,
    cut: Arc<std::sync::Mutex<CancellationToken>>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(broker: BrokerAddress) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = BrokerAddress { port: listener.local_addr().unwrap().port(), ..broker.clone() };
        let (deaf, is_deaf) = watch::channel(false);
        let cut = Arc::new(std::sync::Mutex::new(CancellationToken::new()));
        let current = cut.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((server, _)) = listener.accept().await {
                let broker = TcpStream::connect((broker.host.as_str(), broker.port)).await.unwrap();
                let cut = current.lock().unwrap().clone();
                let is_deaf = is_deaf.clone();
                tokio::spawn(async move { cut.run_until_cancelled(carry(server, broker, is_deaf)).await });
            }
        });
        Self { address, deaf, cut, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// From now on nothing that the server says reaches the broker.
    pub(crate) fn swallow(&self) {
        self.deaf.send_replace(true);
    }

    /// Cuts every connection; new ones carry everything.
    pub(crate) fn cut(&self) {
        self.deaf.send_replace(false);
        std::mem::replace(&mut *self.cut.lock().unwrap(), CancellationToken::new()).cancel();
    }
}

async fn carry(server: TcpStream, broker: TcpStream, is_deaf: watch::Receiver<bool>) {
    let (mut from_server, mut to_server) = server.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let down = tokio::io::copy(&mut from_broker, &mut to_server);
    let up = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let deaf = *is_deaf.borrow();
            if !deaf && to_broker.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = down => {}
        () = up => {}
    }
}
