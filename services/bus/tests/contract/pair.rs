//! A service and a caller on the two ends of a socket pair.

use futures_util::{Stream, StreamExt};
use microkernel_bus::{
    Served, property_changes,
    zbus::{
        self, Connection, Guid, Proxy, connection::Builder, fdo::PropertiesChangedStream, object_server::Interface,
    },
};
use std::{future::Future, os::unix::net::UnixStream, time::Duration};

const DEADLINE: Duration = Duration::from_secs(10);

/// Connects what `serve` makes with a caller.
pub(crate) async fn connect<I, F>(serve: impl FnOnce(Builder<'static>) -> F) -> (Served<I>, Connection)
where
    I: Interface,
    F: Future<Output = zbus::Result<Served<I>>>,
{
    let (service, caller) = UnixStream::pair().unwrap();
    let service = Builder::unix_stream(service).server(Guid::generate()).p2p().method_timeout(DEADLINE);
    let caller = Builder::unix_stream(caller).p2p().method_timeout(DEADLINE);
    let (service, caller) = tokio::join!(serve(service), caller.build());
    (service.unwrap(), caller.unwrap())
}

/// The next item, within the deadline.
pub(crate) async fn next<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    tokio::time::timeout(DEADLINE, stream.next()).await.expect("nothing arrived in time").expect("the stream has ended")
}

/// The changes of properties, as `Name` (invalidated) or `Name = value`.
pub(crate) struct Changes(PropertiesChangedStream);

impl Changes {
    pub(crate) async fn of(proxy: &Proxy<'_>) -> Self {
        Self(property_changes(proxy).await.unwrap())
    }

    /// The next `count` messages' changes, in order.
    pub(crate) async fn next(&mut self, count: usize) -> Vec<String> {
        let mut changes = Vec::new();
        for _ in 0..count {
            let message = next(&mut self.0).await;
            let args = message.args().unwrap();
            changes.extend(args.changed_properties.iter().map(|(name, value)| format!("{name} = {value}")));
            changes.extend(args.invalidated_properties.iter().map(|name| name.to_string()));
        }
        changes
    }
}
