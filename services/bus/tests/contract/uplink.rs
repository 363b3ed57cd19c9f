//! `io.microkernel.Uplink1.Link`.

use crate::{
    outline::assert_served_as_written,
    pair::{self, Changes},
};
use microkernel_bus::{
    Error,
    uplink::{LinkBackend, LinkProxy, NAME, PATH, serve},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[derive(Default)]
struct Broker {
    away: Arc<AtomicBool>,
}

impl LinkBackend for Broker {
    async fn flush(&self) -> Result<(), Error> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("3 readings are still spooled after 30 s".to_owned()));
        }
        Ok(())
    }

    fn state(&self) -> String {
        "waiting".to_owned()
    }

    fn broker(&self) -> String {
        "localhost:8883".to_owned()
    }

    fn spool_depth(&self) -> u64 {
        1
    }

    fn spool_bytes(&self) -> u64 {
        2
    }

    fn published(&self) -> u64 {
        3
    }

    fn dropped(&self) -> u64 {
        4
    }

    fn lost(&self) -> u64 {
        5
    }

    fn last_error(&self) -> String {
        "connection refused".to_owned()
    }
}

#[tokio::test]
async fn link_is_served_as_written() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Broker::default())).await;
    assert_served_as_written(&caller, NAME, PATH, "io.microkernel.Uplink1.Link").await;
}

#[tokio::test]
async fn link_flushes_and_says_why_not() {
    let broker = Broker::default();
    let away = broker.away.clone();
    let (_served, caller) = pair::connect(|builder| serve(builder, broker)).await;
    let link = LinkProxy::uncached(&caller).await.unwrap();
    assert_eq!((link.inner().destination().as_str(), link.inner().path().as_str()), (NAME, PATH));

    link.flush().await.unwrap();
    away.store(true, Ordering::SeqCst);
    let failure = link.flush().await.unwrap_err();
    assert_eq!(failure, Error::Unavailable("3 readings are still spooled after 30 s".to_owned()));
}

#[tokio::test]
async fn link_tells_its_state() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Broker::default())).await;
    let link = LinkProxy::uncached(&caller).await.unwrap();
    assert_eq!(link.state().await.unwrap(), "waiting");
    assert_eq!(link.broker().await.unwrap(), "localhost:8883");
    assert_eq!(link.spool_depth().await.unwrap(), 1);
    assert_eq!(link.spool_bytes().await.unwrap(), 2);
    assert_eq!(link.published().await.unwrap(), 3);
    assert_eq!(link.dropped().await.unwrap(), 4);
    assert_eq!(link.lost().await.unwrap(), 5);
    assert_eq!(link.last_error().await.unwrap(), "connection refused");
}

#[tokio::test]
async fn link_announces_its_state() {
    let (served, caller) = pair::connect(|builder| serve(builder, Broker::default())).await;
    let link = LinkProxy::uncached(&caller).await.unwrap();
    let mut changes = Changes::of(link.inner()).await;
    served.link_changed().await.unwrap();
    let announced = changes.next(3).await;
    assert_eq!(
        announced,
        [r#"State = "waiting""#, r#"Broker = "localhost:8883""#, r#"LastError = "connection refused""#]
    );
}
