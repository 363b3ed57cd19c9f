//! `certificate issue`.

use crate::mqtt::issue;
use crate::server::{command, failure, mode};
use std::path::Path;
use std::process::Command;
use x509_parser::prelude::*;

fn issue_command(data: &Path, id: &str, out: &Path) -> Command {
    let mut command = command();
    command.args(["certificate", "issue", id, "--data-dir"]).arg(data).arg("--out").arg(out);
    command
}

#[test]
fn a_device_gets_a_client_certificate_of_its_own_also_without_a_server() {
    let data = tempfile::tempdir().unwrap();
    let out = issue(data.path(), "device-001");
    assert_eq!(mode(&out.join("device-001.key")), 0o600);

    let (ca, device) = (std::fs::read(out.join("ca.crt")).unwrap(), std::fs::read(out.join("device-001.crt")).unwrap());
    let ((_, ca), (_, device)) = (parse_x509_pem(&ca).unwrap(), parse_x509_pem(&device).unwrap());
    let (ca, device) = (ca.parse_x509().unwrap(), device.parse_x509().unwrap());
    assert_eq!(device.subject().to_string(), "CN=device-001");
    assert_eq!(device.issuer(), ca.subject());
    assert!(!device.is_ca());
    let usage = device.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert_eq!(device.validity().time_to_expiration().unwrap().whole_days(), 364);
    assert_eq!(device.tbs_certificate.raw_serial().len(), 16);
    assert!(device.tbs_certificate.raw_serial()[0] < 0x80, "positive");

    let constraints = ca.basic_constraints().unwrap().unwrap().value;
    assert!(constraints.ca && constraints.path_len_constraint == Some(0));
    assert!(ca.key_usage().unwrap().unwrap().value.key_cert_sign());
    assert!(ca.validity().time_to_expiration().unwrap().whole_days() > 3640);
}

#[test]
fn files_are_replaced_by_force_only() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(issue_command(data.path(), "d", out.path()).status().unwrap().success());
    let first = std::fs::read(out.path().join("d.crt")).unwrap();
    let error = failure(&mut issue_command(data.path(), "d", out.path()));
    assert!(error.contains("d.crt exists") && error.contains("--force"), "{error}");
    assert_eq!(std::fs::read(out.path().join("d.crt")).unwrap(), first);

    assert!(issue_command(data.path(), "other", out.path()).status().unwrap().success(), "the same CA may be there");
    assert!(issue_command(data.path(), "d", out.path()).arg("--force").status().unwrap().success());
    assert_ne!(std::fs::read(out.path().join("d.crt")).unwrap(), first);

    let other = tempfile::tempdir().unwrap();
    let error = failure(&mut issue_command(other.path(), "third", out.path()));
    assert!(error.contains("ca.crt exists"), "{error}");
    assert!(!out.path().join("third.key").exists(), "nothing is written");
}

#[test]
fn ids_that_no_device_may_have_are_refused_with_the_reason() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (id, reason) in [
        ("a/b", "expected 1 to 64 characters"),
        ("+", "expected 1 to 64 characters"),
        (&"x".repeat(65), "expected 1 to 64 characters"),
        ("microkernel-server", "reserved for the server"),
        ("ca", "reserved for the CA"),
    ] {
        let error = failure(&mut issue_command(data.path(), id, out.path()));
        assert!(error.contains(reason) && error.contains(id), "{error}");
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn several_may_issue_at_once_from_the_first_moment_on() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let children: Vec<_> =
        (0..8).map(|n| issue_command(data.path(), &format!("d{n}"), out.path()).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 8 * 2 + 1);
}
