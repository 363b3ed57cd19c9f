//! Who may ask as which device.

use crate::device::Device;
use crate::world::{Server, World};
use reqwest::Method;
use serde_json::json;

/// Tries everything that a device may do as `device`; every answer must be `status`.
async fn everything_is(status: u16, device: &Device) {
    let body = json!({"status": {"execution": "closed", "result": {"finished": "success"}}});
    for (method, path) in [
        (Method::GET, ""),
        (Method::PUT, "/configData"),
        (Method::GET, "/deploymentBase/1"),
        (Method::POST, "/deploymentBase/1/feedback"),
        (Method::GET, "/installedBase/1"),
        (Method::GET, "/cancelAction/1"),
        (Method::POST, "/cancelAction/1/feedback"),
        (Method::GET, "/confirmationBase"),
        (Method::GET, "/confirmationBase/1"),
        (Method::POST, "/confirmationBase/1/feedback"),
        (Method::POST, "/confirmationBase/activateAutoConfirm"),
        (Method::POST, "/confirmationBase/deactivateAutoConfirm"),
        (Method::GET, "/softwaremodules/1/artifacts"),
        (Method::GET, "/softwaremodules/1/artifacts/release-1.raucb"),
        (Method::GET, "/softwaremodules/1/artifacts/release-1.raucb.MD5SUM"),
    ] {
        let request = device.request(method.clone(), &format!("{}{path}", device.base)).json(&body);
        assert_eq!(request.send().await.unwrap().status(), status, "{method} {path}");
    }
}

async fn with_deployment(world: &World) -> Server {
    let server = world.server().await;
    let release = server.release(world, "1.0.1").await;
    world.known_devices(["device-001".to_owned()], "1.0.0").await;
    server.deploy("device-001", release).await;
    server
}

#[tokio::test]
async fn a_device_that_claims_anothers_id_is_refused_everywhere() {
    let world = World::start().await;
    let server = with_deployment(&world).await;
    let certificate = world.certificate("device-002");
    let ca = world.authority.certificate_path();
    everything_is(403, &Device::new(&server.https, "device-001", Some(&certificate), &ca)).await;
    everything_is(401, &Device::new(&server.https, "device-001", None, &ca)).await;
    // Nor does the other's own id lead to what is device-001's.
    let own = world.device(&server, "device-002");
    own.poll().await;
    assert_eq!(own.get("/deploymentBase/1").await.status(), 404);
    assert_eq!(own.feedback("1", "closed", "success", "").await, 404);
    assert_eq!(own.get("/softwaremodules/1/artifacts/release-1.raucb").await.status(), 404);
    let untouched = server.deployment("device-001", 1).await;
    assert_eq!((&untouched["state"], untouched["timeline"].as_array().unwrap().len()), (&json!("offered"), 1));
}

#[tokio::test]
async fn certificates_of_others_are_no_certificates() {
    let world = World::start().await;
    let server = with_deployment(&world).await;
    let ca = world.authority.certificate_path();
    // Of another CA: there is no connection at all.
    let other = tempfile::tempdir().unwrap();
    let stranger = microkernel_server::embedded::Authority::open_or_create(other.path()).unwrap();
    let out = other.path().join("device-001");
    stranger.issue_device(&"device-001".parse().unwrap(), &out, true).unwrap();
    let device = Device::new(&server.https, "device-001", Some(&out), &ca);
    assert!(device.request(Method::GET, &device.base).send().await.is_err());

    // The server's own certificate, as the broker's client, is no device's.
    let files = world.authority.server_client().unwrap();
    let own = files.client_cert.parent().unwrap().join("microkernel-server");
    std::fs::create_dir(&own).unwrap();
    std::fs::copy(&files.client_cert, own.join("microkernel-server.crt")).unwrap();
    std::fs::copy(&files.client_key, own.join("microkernel-server.key")).unwrap();
    let device = Device::new(&server.https, "microkernel-server", Some(&own), &ca);
    assert_eq!(device.get("").await.status(), 403);
    assert_eq!(world.count("SELECT count(*) FROM devices").await, 1, "nobody was registered");
}

#[tokio::test]
async fn a_token_is_as_good_as_a_certificate_for_its_own() {
    let world = World::start().await;
    let server = with_deployment(&world).await;
    let ca = world.authority.certificate_path();
    let plain = |id: &str| Device::new(&server.https, id, None, &ca);
    let token = async |path: &str| server.post(path, json!({})).await["token"].as_str().unwrap().to_owned();

    let target = token("/devices/device-001/target-token").await;
    plain("device-001").with_authorization(&format!("TargetToken {target}")).poll().await;
    for (id, authorization) in [
        ("device-001", "TargetToken wrong".to_owned()),
        ("device-001", "TargetToken ".to_owned()),
        ("device-001", format!("GatewayToken {target}")),
        ("device-001", format!("Bearer {target}")),
        ("device-002", format!("TargetToken {target}")),
    ] {
        everything_is(401, &plain(id).with_authorization(&authorization)).await;
    }
    let renewed = token("/devices/device-001/target-token").await;
    assert_eq!(plain("device-001").with_authorization(&format!("TargetToken {target}")).get("").await.status(), 401);
    plain("device-001").with_authorization(&format!("TargetToken {renewed}")).poll().await;

    // A gateway speaks for all devices of its tenant, and registers new ones.
    let gateway = format!("GatewayToken {}", token("/gateway-token").await);
    plain("device-003").with_authorization(&gateway).poll().await;
    assert_eq!(world.count("SELECT count(*) FROM devices WHERE id = 'device-003'").await, 1);
    assert_eq!(server.call(Method::DELETE, "/gateway-token", None).await.0, 204);
    assert_eq!(plain("device-003").with_authorization(&gateway).get("").await.status(), 401);
    let kept: Vec<u8> = sqlx::query_scalar("SELECT target_token_hash FROM devices WHERE id = 'device-001'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(kept.len(), 32, "a hash, not the token");
}

#[tokio::test]
async fn tenants_are_apart() {
    let world = World::start().await;
    let server = with_deployment(&world).await;
    sqlx::query("INSERT INTO organisations (slug, name) VALUES ('other', 'Other')").execute(&world.pool).await.unwrap();
    let mut device = world.device(&server, "device-001");
    let default = device.base.clone();
    for (tenant, status) in [("default", 200), ("Default", 200), ("other", 403), ("nobody", 403), ("%00", 403)] {
        device.base = default.replace("DEFAULT", tenant);
        assert_eq!(device.get("").await.status(), status, "{tenant}");
    }
    // The other tenant's gateway can't reach, nor take over, what is ours.
    let hash = <sha2::Sha256 as sha2::Digest>::digest(b"secret").to_vec();
    sqlx::query("UPDATE organisations SET gateway_token_hash = $1 WHERE slug = 'other'")
        .bind(hash)
        .execute(&world.pool)
        .await
        .unwrap();
    let ca = world.authority.certificate_path();
    let mut gateway = Device::new(&server.https, "device-001", None, &ca).with_authorization("GatewayToken secret");
    everything_is(401, &gateway).await;
    gateway.base = gateway.base.replace("DEFAULT", "other");
    everything_is(401, &gateway).await;
    gateway.base = gateway.base.replace("device-001", "device-009");
    gateway.poll().await;
    assert_eq!(server.call(Method::GET, "/devices/device-009/deployments", None).await.0, 404);
}
