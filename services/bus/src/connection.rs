//! How a connection to the bus is made.

use std::time::Duration;
use zbus::{Connection, connection::Builder};

/// After this long a method call fails whatever the callee does.
///
/// It is the last resort, longer than any method may take (`Flush` takes up to 30 s). A caller that can't wait this
/// long sets its own deadline around the call.
pub const METHOD_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to the system bus, for a program that only calls others.
///
/// A service that also serves an object uses one connection for both: see `serve` in its module.
///
/// # Errors
/// When there is no system bus, or it refuses the connection.
pub async fn connect() -> zbus::Result<Connection> {
    system().build().await
}

/// The system bus: `DBUS_SYSTEM_BUS_ADDRESS`, or the standard socket where that is not set.
pub fn system() -> Builder<'static> {
    Builder::system().method_timeout(METHOD_TIMEOUT)
}

/// The bus at an explicit address, for example `unix:path=/run/example/bus`.
pub fn at(address: &str) -> Builder<'static> {
    Builder::address(address).method_timeout(METHOD_TIMEOUT)
}
