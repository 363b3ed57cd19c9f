//! A device's own message bus: a `dbus-daemon` on a unix socket, open to the user who started it and nobody else.

use crate::{Layout, Program};
use anyhow::Context;
use microkernel_wire::DeviceId;
use std::path::Path;

/// The bus's address for clients.
pub(crate) fn address(socket: &Path) -> String {
    format!("unix:path={}", escape(socket))
}

/// Writes the bus's configuration and says how to run it.
pub(crate) fn program(layout: &Layout, device: &DeviceId, folder: &Path) -> anyhow::Result<Program> {
    let socket = layout.bus_socket(device);
    let file = folder.join("bus.conf");
    std::fs::write(&file, configuration(&socket)).with_context(|| format!("{} was not written", file.display()))?;
    Ok(Program {
        name: format!("{device} bus"),
        program: "dbus-daemon".into(),
        arguments: vec!["--nofork".into(), "--nopidfile".into(), "--config-file".into(), file.into()],
        environment: vec![],
        log: layout.log(&format!("{device}.bus")),
        leftovers: vec![socket],
    })
}

/// Anyone on this bus may own any name and call anyone, and anyone on it is the user who started it (`EXTERNAL`). The
/// policies of a real device are not tested here.
fn configuration(socket: &Path) -> String {
    let address = address(socket).replace('&', "&amp;").replace('<', "&lt;");
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"#
    )
}

/// Escapes what is not plain in a value of a D-Bus address (D-Bus specification, "Server Addresses").
fn escape(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.\\*".contains(&byte);
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes.map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusual_characters_of_a_path_are_escaped_in_an_address() {
        assert_eq!(address(Path::new("/tmp/my demo/ü&<")), "unix:path=/tmp/my%20demo/%c3%bc%26%3c");
    }
}
