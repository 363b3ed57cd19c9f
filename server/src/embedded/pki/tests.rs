//! When own certificates are renewed, and what the CA refuses.
#![allow(clippy::unwrap_used)]
use super::*;

fn authority() -> (tempfile::TempDir, Authority) {
    let data = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(data.path()).unwrap();
    (data, authority)
}

/// The content of the broker's certificate after it was looked at.
fn kept(authority: &Authority) -> String {
    authority.keep_valid(BROKER_NAME, "localhost", Purpose::Server).unwrap();
    read(&certificate_path(&authority.dir, BROKER_NAME)).unwrap()
}

#[test]
fn a_certificate_that_serves_on_is_kept() {
    let (_data, authority) = authority();
    assert_eq!(kept(&authority), kept(&authority));
}

#[test]
fn a_certificate_that_ends_soon_is_renewed() {
    let (_data, authority) = authority();
    let short = authority.sign("localhost", Purpose::Server, RENEW_BEFORE - Duration::days(1)).unwrap();
    store(&authority.dir, BROKER_NAME, &short).unwrap();
    let reason = authority.obstacle(BROKER_NAME, Purpose::Server).unwrap();
    assert!(reason.contains("ends on"), "{reason}");
    assert_ne!(kept(&authority), short.certificate);
    assert_eq!(authority.obstacle(BROKER_NAME, Purpose::Server), None);
}

#[test]
fn a_certificate_with_other_names_or_another_key_or_of_another_ca_is_replaced() {
    let (_data, authority) = authority();
    let nameless = authority.sign("localhost", Purpose::Client, OWN_VALID).unwrap();
    store(&authority.dir, BROKER_NAME, &nameless).unwrap();
    let reason = authority.obstacle(BROKER_NAME, Purpose::Server).unwrap();
    assert!(reason.contains("names that this server is reached by"), "{reason}");

    kept(&authority);
    write(&key_path(&authority.dir, BROKER_NAME), &nameless.key, KEY_MODE).unwrap();
    let reason = authority.obstacle(BROKER_NAME, Purpose::Server).unwrap();
    assert!(reason.contains("key is another"), "{reason}");

    let (_other_data, other) = self::authority();
    store(&authority.dir, BROKER_NAME, &other.sign("localhost", Purpose::Server, OWN_VALID).unwrap()).unwrap();
    let reason = authority.obstacle(BROKER_NAME, Purpose::Server).unwrap();
    assert!(reason.contains("CA is another"), "{reason}");
}

#[test]
fn a_certificate_is_made_anew_when_a_public_name_comes_or_goes() {
    let (_data, authority) = authority();
    let before = kept(&authority);
    let authority = authority.with_public_names(vec!["10.0.2.2".parse().unwrap()]);
    let named = kept(&authority);
    assert_ne!(named, before);
    assert_eq!(named, kept(&authority), "it serves on");
    let pem = parse_pem(&authority.dir, &named).unwrap();
    assert!(names_of(&pem.parse_x509().unwrap()).contains(&"10.0.2.2".to_owned()));
    assert_ne!(kept(&authority.with_public_names(Vec::new())), named);
}

#[test]
fn a_damaged_ca_is_named_and_not_replaced() {
    let (data, authority) = authority();
    let path = authority.certificate_path();
    write(&path, "damaged", CERTIFICATE_MODE).unwrap();
    let error = Authority::open_or_create(data.path()).err().unwrap().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert_eq!(read(&path).unwrap(), "damaged");
}

#[test]
fn serials_are_positive_without_leading_zeros_and_differ() {
    let serials: std::collections::BTreeSet<_> = (0..100).map(|_| random_serial()).collect();
    assert_eq!(serials.len(), 100);
    assert!(serials.iter().all(|serial| (0x40..0x80).contains(&serial[0])));
}
