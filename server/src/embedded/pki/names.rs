//! The names and addresses that the broker and the HTTPS listener are reached by, and so have in their certificates.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// The longest DNS name (RFC 1035, section 2.3.4), without the final dot.
const DNS_NAME_MAX: usize = 253;

/// A DNS name or an IP address, in the form in which certificates are compared: lower case, addresses as RFC 5952
/// writes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicName(String);

/// Why a name is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is neither a DNS name nor an IP address: expected for example fleet.example.org or 192.0.2.1, without a port"
)]
pub struct PublicNameError(String);

impl FromStr for PublicName {
    type Err = PublicNameError;

    fn from_str(text: &str) -> Result<Self, PublicNameError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        let is_label = |label: &str| {
            let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            plain && !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
        };
        if text.len() <= DNS_NAME_MAX && text.split('.').all(is_label) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(PublicNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for PublicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a server's certificate is to name: this machine, and `public` names. Sorted, each once.
pub(super) fn server_names(public: &[PublicName]) -> Vec<String> {
    let mut names = vec!["127.0.0.1".to_owned(), "::1".to_owned(), "localhost".to_owned()];
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    // A host may be called what no certificate can say.
    names.extend(host.and_then(|host| host.parse::<PublicName>().ok()).map(|name| name.0));
    names.extend(public.iter().map(|name| name.0.clone()));
    names.sort_unstable();
    names.dedup();
    names
}

/// The names in a certificate, sorted.
pub(super) fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = extension
        .into_iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(Into::into);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(Into::into))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_addresses_have_one_form() {
        for (text, form) in [
            ("Fleet.Example.org", "fleet.example.org"),
            ("10.0.2.2", "10.0.2.2"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("fleet", "fleet"),
        ] {
            assert_eq!(text.parse::<PublicName>().unwrap().to_string(), form);
        }
    }

    #[test]
    fn what_no_certificate_can_name_is_refused() {
        let long = "a".repeat(64);
        for text in ["", "a..b", ".a", "a.", "-a", "a-", "a_b", "fleet:8443", "https://fleet", "[::1]", "*.a", &long] {
            assert!(text.parse::<PublicName>().is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_is_always_named_and_nothing_twice() {
        let names = server_names(&["10.0.2.2".parse().unwrap(), "localhost".parse().unwrap()]);
        assert_eq!(names.iter().filter(|name| *name == "localhost").count(), 1);
        assert!(["127.0.0.1", "::1", "10.0.2.2"].iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    }
}
