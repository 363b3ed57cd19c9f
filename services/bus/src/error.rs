//! The errors that methods answer with.

use zbus::{DBusError, fdo};

/// What a call through a proxy returns.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of one of the device's services, `io.microkernel.Error.*` on the bus. The text is for people: it names the
/// input and the remedy.
#[derive(Debug, Clone, PartialEq, DBusError)]
#[zbus(prefix = "io.microkernel.Error", impl_display = false)]
pub enum Error {
    /// Anything else that may happen to a call: nobody owns the name, no answer in time, the connection is gone.
    #[zbus(error)]
    Bus(zbus::Error),
    /// An argument is out of range or malformed.
    InvalidArgument(String),
    /// A configuration was refused; the one in force stays.
    InvalidConfig(String),
    /// There is no sensor of that name.
    UnknownSensor(String),
    /// The service can't do it now; the same call may succeed later.
    Unavailable(String),
    /// It was tried and failed.
    Failed(String),
}

impl Error {
    /// Whether the service is not there: nobody owns its name and the bus can't start it.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Bus(zbus::Error::FDO(error)) => {
                matches!(**error, fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_))
            }
            Self::Bus(zbus::Error::MethodError(name, ..)) => matches!(
                name.as_str(),
                "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner"
            ),
            _ => false,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bus(error) => error.fmt(f),
            Self::InvalidArgument(text)
            | Self::InvalidConfig(text)
            | Self::UnknownSensor(text)
            | Self::Unavailable(text)
            | Self::Failed(text) => f.write_str(text),
        }
    }
}
