//! An interface that is being served.

use zbus::{
    Connection,
    connection::Builder,
    object_server::{Interface, InterfaceRef},
};

/// The service's hold on the object that it serves: its connection, and (in the module of each interface) its signals.
///
/// Cheap to clone. The object is served, and the name owned, as long as a clone of the connection lives.
pub struct Served<I> {
    connection: Connection,
    interface: InterfaceRef<I>,
}

impl<I: Interface> Served<I> {
    /// Builds the connection with the object on it and then takes the name, in this order: a caller that sees the name
    /// always finds the object.
    pub(crate) async fn new(builder: Builder<'_>, name: &str, path: &str, interface: I) -> zbus::Result<Self> {
        let connection = builder
            .serve_at(path, interface)
            .name(name)
            // zbus's default would let a second process take the name away from the one that serves.
            .allow_name_replacements(false)
            .replace_existing_names(false)
            .build()
            .await?;
        let interface = connection.object_server().interface(path).await?;
        Ok(Self { connection, interface })
    }

    /// The connection, for the calls that the service itself makes.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Resolves when the bus is gone. The service can't be reached any more: it should end and be started anew.
    pub async fn closed(&self) {
        self.connection.closed().await;
    }

    pub(crate) fn interface(&self) -> &InterfaceRef<I> {
        &self.interface
    }
}

impl<I> Clone for Served<I> {
    fn clone(&self) -> Self {
        Self { connection: self.connection.clone(), interface: self.interface.clone() }
    }
}

impl<I> std::fmt::Debug for Served<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("unique_name", &self.connection.unique_name()).finish_non_exhaustive()
    }
}
