//! From the files on a boot partition to those on the data partition.
#![allow(clippy::unwrap_used)]

use microkernel_daemon::config::{Device, Layers};
use microkernel_provision::{Places, ProvisionError, Settings, apply};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

struct Card {
    folder: TempDir,
}

impl Card {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("boot")).unwrap();
        Self { folder }
    }

    fn with(self, name: &str, text: &str) -> Self {
        fs::write(self.boot().join(name), text).unwrap();
        self
    }

    fn boot(&self) -> PathBuf {
        self.folder.path().join("boot")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn read(&self) -> Result<Option<Settings>, ProvisionError> {
        Settings::read(&self.boot())
    }

    /// The files that a boot writes, below the data partition.
    fn start(&self) -> Vec<String> {
        let settings = self.read().unwrap().unwrap();
        let data = self.data();
        let written = apply(&settings, &Places::on(&data)).unwrap();
        written.iter().map(|path| path.strip_prefix(&data).unwrap().display().to_string()).collect()
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.data().join(name)).unwrap()
    }
}

const ALL: &str = r#"
[device]
id = "device-001"
[wifi]
ssid = "my network"
password = "its password"
country = "DE"
[server]
host = "fleet.example.org"
claim_token = "abc-123"
"#;

#[test]
fn the_shipped_file_says_nothing_and_each_of_its_examples_is_right() {
    let shipped = include_str!("../../../images/boot/microkernel.toml");
    assert_eq!(Settings::parse(shipped).unwrap(), Settings::default());
    let examples: String = shipped
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let settings = Settings::parse(&examples.replace('…', "token")).unwrap();
    assert!(settings.device.id.is_some() && settings.wifi.is_some());
    assert!(settings.server.host.is_some() && settings.server.claim_token.is_some());
}

#[test]
fn settings_become_configuration_network_and_token() {
    let card = Card::new().with("microkernel.toml", ALL);
    assert_eq!(
        card.start(),
        [
            "microkernel/config.d/40-boot-partition.toml",
            "microkernel/iwd/my network.psk",
            "microkernel/iwd/main.conf",
            "microkernel/state/identity/claim-token",
        ]
    );
    assert!(card.written("microkernel/iwd/my network.psk").ends_with("[Security]\nPassphrase=its password\n"));
    assert!(card.written("microkernel/iwd/main.conf").contains("Country=DE\n"));
    assert_eq!(card.written("microkernel/state/identity/claim-token"), "abc-123\n");
}

#[test]
fn the_services_understand_the_layer() {
    #[derive(serde::Deserialize)]
    struct Config {
        device: Device,
    }
    let card = Card::new().with("microkernel.toml", ALL);
    card.start();
    let config: Config = Layers::from_dirs([card.data().join("microkernel/config.d")]).load().unwrap();
    assert_eq!(config.device.id.as_deref(), Some("device-001"));
    assert!(card.written("microkernel/config.d/40-boot-partition.toml").contains("host = \"fleet.example.org\""));
}

#[test]
fn secrets_are_not_for_everybody_and_belong_to_their_folders_group() {
    let card = Card::new().with("microkernel.toml", ALL);
    card.start();
    for (name, mode) in [("iwd/my network.psk", 0o600), ("state/identity/claim-token", 0o640)] {
        let path = card.data().join("microkernel").join(name);
        let (file, folder) = (fs::metadata(&path).unwrap(), fs::metadata(path.parent().unwrap()).unwrap());
        assert_eq!(file.permissions().mode() & 0o777, mode, "{name}");
        assert_eq!(file.gid(), folder.gid(), "{name}");
    }
}

#[test]
fn what_has_not_changed_is_not_written_again() {
    let card = Card::new().with("microkernel.toml", ALL);
    assert_eq!(card.start().len(), 4);
    assert!(card.start().is_empty());
}

#[test]
fn another_network_replaces_the_one_from_here_and_no_other() {
    let card = Card::new().with("microkernel.toml", "wifi = { ssid = \"one\", password = \"12345678\" }");
    card.start();
    fs::write(card.data().join("microkernel/iwd/by hand.psk"), "[Settings]\n").unwrap();
    let card = card.with("microkernel.toml", "wifi = { ssid = \"two\" }");
    assert!(card.start().contains(&"microkernel/iwd/two.open".to_owned()));
    let mut left: Vec<_> = fs::read_dir(card.data().join("microkernel/iwd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["by hand.psk", "two.open"]);
}

#[test]
fn a_half_written_file_of_a_power_cut_does_no_harm() {
    let card = Card::new().with("microkernel.toml", ALL);
    let places = Places::on(&card.data());
    fs::create_dir_all(places.networks.clone()).unwrap();
    fs::write(places.networks.join("my network.psk.new"), "[Sec").unwrap();
    card.start();
    assert!(card.written("microkernel/iwd/my network.psk").contains("its password"));
    assert!(!places.networks.join("my network.psk.new").exists());
}

#[test]
fn a_card_without_settings_changes_nothing() {
    assert!(Card::new().read().unwrap().is_none());
    assert!(Card::new().with("user-data", "#cloud-config\n").read().unwrap().is_none());
}

#[test]
fn a_mistake_is_named_with_its_line_and_what_was_expected() {
    for (text, said) in [
        ("[device]\nid = \"not/valid\"\n", ["line 2", "not/valid"]),
        ("[wifi]\nssid = \"x\"\npasword = \"12345678\"\n", ["line 3", "pasword"]),
        ("[wifi]\nssid = \"x\"\npassword = \"short\"\n", ["line 3", "8 to 63"]),
        ("[wifi]\nssid = \"x\"\ncountry = \"de\"\n", ["line 3", "capital letters"]),
        ("[wifi]\npassword = \"12345678\"\n", ["line 1", "ssid"]),
        ("[server]\nhost = \"https://fleet\"\n", ["line 2", "without scheme"]),
        ("[server\n", ["line 1", "server"]),
    ] {
        let error = Card::new().with("microkernel.toml", text).read().unwrap_err().to_string();
        assert!(error.contains("microkernel.toml") && said.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn a_password_that_is_refused_is_not_repeated() {
    let error = Settings::parse("wifi = { ssid = \"x\", password = \"geheim\" }").unwrap_err();
    assert!(!error.message().contains("geheim"), "{}", error.message());
}

#[test]
fn names_and_passwords_with_signs_are_written_as_iwd_reads_them() {
    let card = Card::new().with("microkernel.toml", r#"wifi = { ssid = "Café 5G", password = ' a\b c"d' }"#);
    card.start();
    let profile = card.written("microkernel/iwd/=436166c3a9203547.psk");
    assert!(profile.contains("Passphrase=\\sa\\\\b c\"d\n"), "{profile}");
}

const KEY: &str = "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef";

fn imager() -> Card {
    let network = format!(
        "network:\n  version: 2\n  wifis:\n    wlan0:\n      dhcp4: true\n      regulatory-domain: \"GB\"\n      access-points:\n        \"home\":\n          password: \"{KEY}\"\n      optional: true\n"
    );
    Card::new()
        .with(
            "user-data",
            "#cloud-config\nhostname: pi-kitchen\nmanage_etc_hosts: true\nusers:\n- name: pi\n  shell: /bin/bash\n",
        )
        .with("network-config", &network)
}

#[test]
fn raspberry_pi_imagers_settings_are_understood() {
    let card = imager();
    card.start();
    assert!(card.written("microkernel/config.d/40-boot-partition.toml").contains("id = \"pi-kitchen\""));
    let profile = card.written("microkernel/iwd/home.psk");
    assert!(profile.contains(&format!("PreSharedKey={}\n", KEY.to_lowercase())), "{profile}");
    assert!(card.written("microkernel/iwd/main.conf").contains("Country=GB"));
}

#[test]
fn our_own_file_counts_where_both_name_something() {
    let card = imager().with("microkernel.toml", "device.id = \"device-007\"\n");
    let settings = card.read().unwrap().unwrap();
    assert_eq!(settings.device.id.unwrap().as_str(), "device-007");
    assert!(settings.wifi.is_some(), "what only Imager names stays");
}

#[test]
fn an_imager_file_that_is_wrong_is_named() {
    for (name, text) in [
        ("user-data", "hostname: [\n"),
        ("user-data", "hostname: a/b\n"),
        (
            "network-config",
            "network:\n  wifis:\n    wlan0:\n      access-points:\n        x:\n          password: short\n",
        ),
    ] {
        let error = Card::new().with(name, text).read().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn a_full_or_missing_data_partition_is_an_error_that_names_the_file() {
    let settings = Settings::parse(ALL).unwrap();
    let error = apply(&settings, &Places::on(Path::new("/proc/nowhere"))).unwrap_err().to_string();
    assert!(error.contains("40-boot-partition.toml"), "{error}");
}
