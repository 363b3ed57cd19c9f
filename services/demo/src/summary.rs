//! What is said when everything runs.

use crate::Layout;
use crate::fleet::Running;
use std::path::Path;

/// The summary: the dashboard's address, the devices, and a command to be a device oneself.
pub(crate) fn text(running: &Running, layout: &Layout) -> String {
    let mut lines = vec![
        String::new(),
        format!("  dashboard   {}", running.endpoints.http),
        format!("  devices     {}", names(running)),
        format!("  data        {}   (endpoints.json there tells what runs where)", layout.dir().display()),
        format!("  logs        {}", layout.logs().display()),
        String::new(),
    ];
    if let Some(command) = publish_command(running) {
        lines.push("Be a device yourself (paste this into another terminal):".to_owned());
        lines.push(String::new());
        lines.push(format!("  {command}"));
        lines.push(String::new());
    }
    lines.push("Ctrl-C stops everything that was started here, and nothing else. The data stays.".to_owned());
    lines.join("\n")
}

fn names(running: &Running) -> String {
    match running.devices.as_slice() {
        [] => "none".to_owned(),
        few if few.len() <= 6 => few.iter().map(|device| device.id.as_str()).collect::<Vec<_>>().join("  "),
        [first, .., last] => format!("{} … {} ({})", first.id, last.id, running.devices.len()),
        [_] => String::new(),
    }
}

/// A `mosquitto_pub` with the first device's certificate and a reading of now, in one line for a POSIX shell.
fn publish_command(running: &Running) -> Option<String> {
    let device = running.devices.first()?;
    let (host, port) = running.endpoints.broker().ok()?;
    let id = &device.id;
    Some(format!(
        "mosquitto_pub -V 5 -q 1 -h {host} -p {port} --cafile {} --cert {} --key {} -t devices/{id}/telemetry -m \
         '{{\"device_id\":\"{id}\",\"sensor\":\"Temperature\",\"value\":23.5,\"unit\":\"°C\",\"timestamp\":'$(date \
         +%s)',\"anomaly\":false,\"confidence\":0.95}}'",
        quoted(&device.identity.ca_cert),
        quoted(&device.identity.cert),
        quoted(&device.identity.key),
    ))
}

/// A path as one word of a POSIX shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_of_a_shell() {
        assert_eq!(quoted(Path::new("/home/me/demo-1/ca.crt")), "/home/me/demo-1/ca.crt");
        assert_eq!(quoted(Path::new("/home/it's me/$x")), r"'/home/it'\''s me/$x'");
    }
}
