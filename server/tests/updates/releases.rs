//! Uploads: which bundles become releases, and why others don't.

use crate::bundles::Signer;
use crate::world::{MAX_BYTES, World};
use microkernel_server::releases::Inspector;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

#[tokio::test]
async fn a_signed_bundle_becomes_a_release_once() {
    let world = World::start().await;
    let server = world.server().await;
    let bundle = world.signer.bundle("1.0.1", 300_000);
    let (status, release) = server.upload(bundle.clone()).await;
    assert_eq!(status, 201, "{release}");
    let digest: String = Sha256::digest(&bundle).iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, value) in [
        ("compatible", json!("microkernel-test")),
        ("version", json!("1.0.1")),
        ("build", json!("20260101")),
        ("description", json!("A test")),
        ("format", json!("verity")),
        ("signer", json!("O = Test, CN = signer")),
        ("size_bytes", json!(bundle.len())),
        ("sha256", json!(digest)),
    ] {
        assert_eq!(release[name], value, "{name}");
    }
    let image = &release["images"][0];
    assert_eq!(
        (&image["name"], &image["filename"], &image["size_bytes"]),
        (&json!("rootfs"), &json!("rootfs.img"), &json!(300_000))
    );

    let (status, again) = server.upload(bundle).await;
    assert_eq!((status.as_u16(), &again), (200, &release));
    let (status, problem) = server.upload(world.signer.bundle("1.0.1", 200_000)).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("release 1 is version 1.0.1"), "{problem}");
    assert_eq!(server.get("/releases").await, json!({"releases": [release]}));
    assert_eq!(kept(&world), 1, "only the release's own bundle is kept");
    assert_eq!(server.call(Method::DELETE, "/releases/1", None).await.0, 204);
    assert_eq!((server.get("/releases").await, kept(&world)), (json!({"releases": []}), 0));
    assert_eq!(server.call(Method::DELETE, "/releases/1", None).await.0, 404);
}

#[tokio::test]
async fn what_is_not_a_bundle_of_ours_is_refused_with_the_reason() {
    let world = World::start().await;
    let server = world.server().await;
    let stranger = Signer::new(&world.folder.path().join("stranger"));
    let impostor = world.signer.issued("clientAuth");
    let good = world.signer.bundle("1.0.1", 300_000);
    let mut changed = good.clone();
    let signed = changed.len() - 400;
    changed[signed] ^= 1;
    for (what, bundle, status, reason) in [
        ("another signer's", stranger.bundle("1.0.1", 20_000), 422, "signature verification failed"),
        ("for another purpose", impostor.bundle("1.0.1", 20_000), 422, "purpose"),
        ("truncated", good[..good.len() / 2].to_vec(), 422, "bundle"),
        ("changed", changed, 422, ""),
        ("plain", world.signer.bundle_with("version=1.0.1", "format=plain", 20_000), 422, "'plain' not allowed"),
        ("without a version", world.signer.bundle_with("build=1", "format=verity", 20_000), 422, "no version"),
        ("not a bundle", b"hello".to_vec(), 422, "bundle"),
        ("empty", vec![], 422, ""),
        ("too large", vec![0; MAX_BYTES as usize + 1], 413, "8388608 bytes"),
    ] {
        let (answered, problem) = server.upload(bundle).await;
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(answered, status, "{what}: {detail}");
        assert!(detail.contains(reason), "{what}: {detail}");
    }
    assert_eq!((world.count("SELECT count(*) FROM releases").await, kept(&world)), (0, 0));
    let incoming = world.folder.path().join("bundles/incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0, "nothing is left of what was refused");
}

#[tokio::test]
async fn without_rauc_or_a_keyring_the_remedy_is_said() {
    let world = World::start().await;
    let bundle = world.signer.bundle("1.0.1", 20_000);
    for (inspector, remedy) in [
        (Inspector { program: "/nowhere/rauc".into(), keyring: world.signer.keyring() }, "install it"),
        (Inspector { program: "rauc".into(), keyring: "/nowhere/keyring.pem".into() }, "--bundle-keyring"),
    ] {
        let server = world.server_with(inspector).await;
        let (status, problem) = server.upload(bundle.clone()).await;
        assert_eq!(status, 503, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(remedy), "{problem}");
    }
}

#[tokio::test]
async fn a_release_that_was_deployed_stays() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    world.known_devices(["device-001".to_owned()], "1.0.0").await;
    server.deploy("device-001", release).await;
    let (status, problem) = server.call(Method::DELETE, &format!("/releases/{release}"), None).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(kept(&world), 1);
}

fn kept(world: &World) -> usize {
    std::fs::read_dir(world.folder.path().join("bundles/kept")).unwrap().count()
}
