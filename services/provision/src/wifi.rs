//! A wireless network, and its profile for iwd (`iwd.network(5)`).

use serde::Deserialize;
use std::fmt;

/// `[wifi]`: one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wifi {
    /// Its name.
    pub ssid: Ssid,
    /// Its password; an open network has none.
    pub password: Option<Passphrase>,
    /// The country whose rules for radios apply.
    pub country: Option<Country>,
}

/// A network's name: 1 to 32 bytes (IEEE 802.11), no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Ssid(String);

/// How a network is entered: a passphrase of 8 to 63 visible ASCII characters or spaces, or the key that is made from it, 64
/// hexadecimal digits (IEEE 802.11, annex J.4). Never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Passphrase(String);

/// A country by its two letters (ISO 3166-1 alpha-2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(String);

impl TryFrom<String> for Ssid {
    type Error = &'static str;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        if (1..=32).contains(&name.len()) && !name.chars().any(char::is_control) {
            Ok(Self(name))
        } else {
            Err("expected the name of a network: 1 to 32 bytes")
        }
    }
}

impl TryFrom<String> for Passphrase {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let passphrase = (8..=63).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'));
        if passphrase || is_key(&text) {
            Ok(Self(text))
        } else {
            Err("expected a network's password: 8 to 63 ASCII characters, or its key as 64 hexadecimal digits")
        }
    }
}

impl TryFrom<String> for Country {
    type Error = &'static str;
    fn try_from(code: String) -> Result<Self, Self::Error> {
        if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            Ok(Self(code))
        } else {
            Err("expected a country's two capital letters, for example \"DE\"")
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Wifi {
    /// The name of iwd's profile: the network's where that is plain, hexadecimal otherwise.
    pub fn profile_name(&self) -> String {
        let Ssid(ssid) = &self.ssid;
        let kind = if self.password.is_some() { "psk" } else { "open" };
        if ssid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_')) {
            return format!("{ssid}.{kind}");
        }
        let digits: String = ssid.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("={digits}.{kind}")
    }

    /// The contents of iwd's profile.
    pub fn profile(&self) -> String {
        let security = match &self.password {
            None => String::new(),
            Some(Passphrase(key)) if is_key(key) => {
                format!("\n[Security]\nPreSharedKey={}\n", key.to_ascii_lowercase())
            }
            Some(Passphrase(text)) => format!("\n[Security]\nPassphrase={}\n", escaped(text)),
        };
        format!("[Settings]\nAutoConnect=true\n{security}")
    }

    /// What iwd's own configuration says in the place of `/etc/iwd/main.conf`, where a country is named.
    pub fn daemon_configuration(&self) -> Option<String> {
        let Country(code) = self.country.as_ref()?;
        Some(format!("[General]\nEnableNetworkConfiguration=false\nAddressRandomization=disabled\nCountry={code}\n"))
    }
}

/// A value as iwd's reader of settings (ell, `l_settings`) wants it: backslashes doubled, a space at the beginning as `\s`.
fn escaped(value: &str) -> String {
    let doubled = value.replace('\\', "\\\\");
    match doubled.strip_prefix(' ') {
        Some(rest) => format!("\\s{rest}"),
        None => doubled,
    }
}
