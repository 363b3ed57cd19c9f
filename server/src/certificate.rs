//! The `certificate` command.

use crate::cli::{CertificateAction, CertificateArguments};
use crate::config::data_dir;
use crate::data_dir::DataDir;
use crate::embedded::Authority;
use microkernel_wire::DeviceId;

/// Does what `certificate` was asked for. The server may run or not.
///
/// # Errors
/// Says which id or file is refused and why.
pub fn run(arguments: CertificateArguments) -> anyhow::Result<()> {
    let CertificateAction::Issue { device_id, out, force, data } = arguments.action;
    let id: DeviceId = device_id.parse()?;
    let data = DataDir::prepare(&data_dir(&data)?)?;
    Authority::open_or_create(data.path())?.issue_device(&id, &out, force)?;
    println!("wrote ca.crt, {id}.crt and {id}.key to {}", out.display());
    Ok(())
}
