//! Why a driver could not measure.

use std::io;

/// Why a driver could not measure. The text has neither operation nor address: whoever runs the driver knows those.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The operating system refused, for example `Remote I/O error (errno 121)` when no chip answers at the address.
    #[error("{} (errno {errno})", describe(*.errno))]
    Os {
        /// The error number of Linux, above 0.
        errno: i32,
    },
    /// What should be measured is not there (no such hwmon chip, no such thermal zone); the text says what was found.
    #[error("{0}")]
    Missing(String),
    /// The chip answered, but not with a measurement: wrong checksum, wrong identity, no number.
    #[error("{0}")]
    Invalid(String),
    /// No answer within the deadline.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// The deadline that passed.
        seconds: u64,
    },
}

impl Fault {
    const ENODEV: i32 = 19;
    const EIO: i32 = 5;
    const ETIMEDOUT: i32 = 110;

    /// The error number that describes it best; never 0.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Os { errno } => *errno,
            Self::Missing(_) => Self::ENODEV,
            Self::Invalid(_) => Self::EIO,
            Self::Timeout { .. } => Self::ETIMEDOUT,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::Os { errno },
            None => Self::Invalid(error.to_string()),
        }
    }
}

/// The C library's text for an error number, without the number.
fn describe(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operating_system_error_shows_text_and_number() {
        assert_eq!(Fault::Os { errno: 121 }.to_string(), "Remote I/O error (errno 121)");
        assert_eq!(Fault::from(io::Error::from_raw_os_error(2)).to_string(), "No such file or directory (errno 2)");
    }

    #[test]
    fn every_fault_has_an_errno() {
        let faults = [Fault::Missing(String::new()), Fault::Invalid(String::new()), Fault::Timeout { seconds: 2 }];
        assert_eq!(faults.map(|fault| fault.errno()), [19, 5, 110]);
    }
}
