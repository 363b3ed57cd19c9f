//! Watching properties.

use zbus::{
    Proxy,
    fdo::{PropertiesChangedStream, PropertiesProxy},
    proxy::CacheProperties,
};

/// The announced changes of the properties of the object that `proxy` speaks to, all its interfaces.
///
/// Which properties are announced, and whether with their value, is in the interface's XML. A change may be missed when
/// the service restarts: read the property after subscribing. The stream must be polled, or dropped: one that is not
/// holds up everything else on its connection.
///
/// # Errors
/// When the bus refuses the subscription.
pub async fn property_changes(proxy: &Proxy<'_>) -> zbus::Result<PropertiesChangedStream> {
    PropertiesProxy::builder(proxy.connection())
        .destination(proxy.destination().to_owned())
        .path(proxy.path().to_owned())
        .cache_properties(CacheProperties::No)
        .build()
        .await?
        .receive_properties_changed()
        .await
}
