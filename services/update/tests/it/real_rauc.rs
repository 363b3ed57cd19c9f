//! With RAUC itself: signatures, compatibles, slots, a boot loader. As root, since RAUC mounts bundles:
//! `cargo nextest run -p microkernel-update --run-ignored all`.

use crate::support::{
    ddi::Ddi,
    device::Device,
    eventually,
    pki::Authority,
    real_rauc::{RealRauc, has_artifacts},
};

async fn device(server: &Ddi) -> (Device, RealRauc) {
    let device = Device::new(server).await;
    let rauc = RealRauc::start(&device).await;
    device.services.confirm(true);
    device.configure(&server.url(), "transport = \"file\"");
    (device, rauc)
}

async fn until_reboot(device: &Device, reboots: u32) {
    eventually("the reboot", async || (device.services.reboots() == reboots).then_some(())).await;
}

#[tokio::test]
#[ignore = "needs root, Debian's rauc and squashfs-tools"]
async fn updates_go_back_and_forth_between_the_slots() {
    let server = Ddi::start().await;
    let (mut device, mut rauc) = device(&server).await;
    server.offer("1", "1.0.1", "attempt", rauc.bundle("1.0.1", b"the system 1.0.1"));
    let agent = device.start();
    until_reboot(&device, 1).await;
    agent.kill();
    assert_eq!(rauc.primary(), "B");
    assert!(rauc.slot_b().starts_with(b"the system 1.0.1"));

    device.boot();
    rauc.boot("B").await;
    let agent = device.start();
    device.until_journal("confirming").await;
    device.services.confirm(true);
    assert_eq!(server.outcome("1").await.0, "success");

    server.offer("2", "1.0.2", "attempt", rauc.bundle("1.0.2", b"the system 1.0.2"));
    until_reboot(&device, 2).await;
    agent.kill();
    assert_eq!(rauc.primary(), "A");
    device.boot();
    rauc.boot("A").await;
    device.services.confirm(true);
    let _agent = device.start();
    assert_eq!(server.outcome("2").await.0, "success");

    server.offer("3", "1.0.1", "attempt", rauc.bundle("1.0.1", b"the system 1.0.1"));
    let (finished, details) = server.outcome("3").await;
    assert_eq!(finished, "failure");
    assert!(details[0].starts_with("1.0.1 is older than 1.0.2"), "{details:?}");
}

#[tokio::test]
#[ignore = "needs root, Debian's rauc and squashfs-tools"]
async fn what_rauc_would_not_take_is_refused_with_the_reason() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    let release = Authority::new("Another CA");
    let good = rauc.bundle("1.0.1", b"the system");
    let mut altered = good.clone();
    altered[1000] ^= 1;
    device.configure(&server.url(), "transport = \"file\"\nattempts = 1");
    let elsewhere = rauc.bundle_for("toaster", "1.0.1");
    let _agent = device.start();
    for (action, bundle, reason) in [
        ("1", rauc.signed_bundle(&release, "test-device", "1.0.1", "rootfs", b"the system"), "signature"),
        ("2", altered, "signature"),
        ("3", good[..good.len() / 2].to_vec(), "RAUC: "),
        ("4", b"not a bundle at all".to_vec(), "RAUC: "),
        ("5", elsewhere, "not compatible: the bundle is for \"toaster\", this device is \"test-device\""),
    ] {
        server.offer(action, "1.0.1", "attempt", bundle);
        let (finished, details) = server.outcome(action).await;
        assert_eq!(finished, "failure");
        // RAUC before 1.9 does not say over the bus what is wrong with a bundle that it only looks at.
        assert!(details[0].contains(reason) || details[0].contains("rauc info error"), "{action}: {details:?}");
    }
    assert_eq!((rauc.primary().as_str(), device.services.reboots()), ("A", 0));
    assert!(rauc.slot_b().iter().all(|byte| *byte == 0), "nothing was written");
}

#[tokio::test]
#[ignore = "needs root, Debian's rauc and squashfs-tools"]
async fn a_slot_that_cannot_be_written_fails_with_raucs_last_error() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    device.configure(&server.url(), "transport = \"file\"\nattempts = 1");
    rauc.break_slot_b();
    server.offer("1", "1.0.1", "attempt", rauc.bundle("1.0.1", b"the system 1.0.1"));
    let _agent = device.start();
    let (finished, details) = server.outcome("1").await;
    assert_eq!(finished, "failure");
    assert!(details[0].starts_with("RAUC: Installation error: Failed updating slot rootfs.1"), "{details:?}");
    assert_eq!((rauc.primary().as_str(), device.services.reboots()), ("A", 0));
}

#[tokio::test]
#[ignore = "needs root, Debian's rauc and squashfs-tools"]
async fn a_slot_that_the_boot_loader_gave_up_is_a_rollback_and_stays_given_up() {
    let server = Ddi::start().await;
    let (mut device, mut rauc) = device(&server).await;
    let bundle = rauc.bundle("1.0.1", b"does not boot");
    server.offer("1", "1.0.1", "attempt", bundle.clone());
    let agent = device.start();
    until_reboot(&device, 1).await;
    agent.kill();
    rauc.give_up("B", "A");
    device.boot();
    rauc.boot("A").await;
    device.services.confirm(true);
    let _agent = device.start();
    let (finished, details) = server.outcome("1").await;
    assert_eq!(finished, "failure");
    assert!(details[0].starts_with("rolled back: slot B with 1.0.1 was given up, slot A"), "{details:?}");
    assert!(details[2].contains("its kernel or its init did not start"), "{details:?}");
    server.offer("1", "1.0.1", "attempt", bundle);
    server.until_polled().await;
    server.until_polled().await;
    assert_eq!((rauc.primary().as_str(), device.services.reboots()), ("A", 1));
}

#[tokio::test]
#[ignore = "needs root, Debian's rauc and squashfs-tools"]
async fn a_power_cut_between_installation_and_report_is_seen_from_raucs_own_state() {
    let server = Ddi::start().await;
    let (mut device, mut rauc) = device(&server).await;
    server.offer("1", "1.0.1", "attempt", rauc.bundle("1.0.1", b"the system 1.0.1"));
    let agent = device.start();
    device.until_journal("installing").await;
    agent.kill();
    // The agent was killed before or after it had called RAUC.
    let downloads = std::fs::read_dir(device.path("state/update/download")).unwrap();
    let bundle = downloads.last().unwrap().unwrap().path();
    rauc.finish_without_agent(&bundle).await;
    device.boot();
    rauc.boot("B").await;
    device.services.confirm(true);
    let _agent = device.start();
    assert_eq!(server.outcome("1").await.0, "success");
}

#[tokio::test]
#[ignore = "needs root, RAUC 1.13 or later"]
async fn artifacts_are_installed_without_a_reboot() {
    if !has_artifacts() {
        eprintln!("not tried: this RAUC has no artifact repositories; name a later one by MICROKERNEL_TEST_RAUC");
        return;
    }
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    device.configure(&server.url(), "transport = \"file\"\nattempts = 1");
    // A verity bundle is larger than one block of 4 KiB, compressed.
    let script: Vec<u8> = (0..20_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    server.offer("1", "7", "attempt", rauc.artifact_bundle("7", &script));
    let _agent = device.start();
    let (finished, details) = server.outcome("1").await;
    assert!(server.details().contains(&"installing the artifacts of 7".to_owned()), "RAUC told what the bundle is");
    assert_eq!((rauc.primary().as_str(), device.services.reboots()), ("A", 0));
    if std::path::Path::new("/dev/mapper/control").exists() {
        assert_eq!(finished, "success", "{details:?}");
        assert_eq!(rauc.artifact("smooth").unwrap(), script);
    } else {
        assert!(details[0].contains("dm-verity") || details[0].contains("/dev/mapper/control"), "{details:?}");
    }
}
