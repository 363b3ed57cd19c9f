//! The devices' API, as hawkBit's documentation has it.

use crate::device::feedback;
use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_device_is_told_what_to_install_and_tells_how_it_goes() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    let device = world.device(&server, "device-001");

    // The first poll registers it: its certificate is enough.
    let href = |path: &str| json!({"href": format!("{}/{path}", device.base)});
    let first = device.poll().await;
    assert_eq!(
        first,
        json!({"config": {"polling": {"sleep": "00:05:00"}}, "_links": {"configData": href("configData")}})
    );
    let attributes = json!({"mode": "merge", "data": {"hw_revision": "2", "compatible": "microkernel-test"}});
    let put = device.request(Method::PUT, &format!("{}/configData", device.base)).json(&attributes);
    assert_eq!(put.send().await.unwrap().status(), 200);
    assert_eq!(device.poll().await, json!({"config": {"polling": {"sleep": "00:05:00"}}}));

    let id = server.deploy("device-001", release).await;
    let base = device.poll().await;
    assert_eq!(base["_links"], json!({"deploymentBase": href(&format!("deploymentBase/{id}"))}));
    let deployment = device.follow(&base, "deploymentBase").await;
    let known = server.get(&format!("/releases/{release}")).await;
    let file = format!("release-{release}.raucb");
    let download = href(&format!("softwaremodules/{release}/artifacts/{file}"));
    let artifact = json!({
        "filename": file, "size": known["size_bytes"], "hashes": deployment["deployment"]["chunks"][0]["artifacts"][0]["hashes"],
        "_links": {"download": download, "md5sum": href(&format!("softwaremodules/{release}/artifacts/{file}.MD5SUM"))},
    });
    assert_eq!(artifact["hashes"]["sha256"], known["sha256"]);
    assert_eq!(artifact["hashes"]["sha1"].as_str().unwrap().len(), 40);
    let chunk = json!({"part": "os", "version": "1.0.1", "name": "microkernel-test", "artifacts": [artifact]});
    let instructions = json!({"download": "forced", "update": "forced", "chunks": [chunk]});
    assert_eq!(deployment, json!({"id": id.to_string(), "deployment": instructions}));
    let listed = device.json(&format!("/softwaremodules/{release}/artifacts")).await;
    assert_eq!(listed, json!([artifact]));

    let action = id.to_string();
    for (execution, detail, state) in [
        ("proceeding", "downloading", "downloading"),
        ("downloaded", "here", "downloading"),
        ("proceeding", "writing slot B", "installing"),
        ("download", "an old message", "installing"),
        ("proceeding", "rebooting into slot B", "rebooting"),
    ] {
        assert_eq!(device.feedback(&action, execution, "none", detail).await, 200);
        assert_eq!(server.deployment("device-001", id).await["state"], state, "{detail}");
    }
    assert_eq!(device.feedback(&action, "closed", "success", "slot B runs 1.0.1").await, 200);
    let done = server.deployment("device-001", id).await;
    assert_eq!((&done["state"], &done["detail"]), (&json!("succeeded"), &json!("slot B runs 1.0.1")));
    let said: Vec<&Value> = done["timeline"].as_array().unwrap().iter().map(|entry| &entry["state"]).collect();
    let states = ["offered", "downloading", "downloading", "installing", "installing", "rebooting", "succeeded"];
    assert_eq!(said, states);
    assert_eq!(device.feedback(&action, "closed", "failure", "too late").await, 410);

    let base = device.poll().await;
    assert_eq!(base["_links"], json!({"installedBase": href(&format!("installedBase/{id}"))}));
    let installed = device.json(&format!("/installedBase/{id}?actionHistory=2")).await;
    assert_eq!(installed["deployment"], instructions);
    let history = json!({"status": "FINISHED", "messages": ["slot B runs 1.0.1", "rebooting into slot B"]});
    assert_eq!(installed["actionHistory"], history);
    assert_eq!(device.get(&format!("/deploymentBase/{id}")).await.status(), 404);
}

#[tokio::test]
async fn a_failure_keeps_its_reason_and_one_after_the_reboot_is_a_rollback() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    let device = world.device(&server, "device-001");
    device.poll().await;
    for (before, state) in [("writing slot B", "failed"), ("rebooting into slot B", "rolled_back")] {
        let id = server.deploy("device-001", release).await;
        assert_eq!(device.feedback(&id.to_string(), "proceeding", "none", before).await, 200);
        let reasons = json!({"status": {"execution": "closed", "result": {"finished": "failure"}, "code": 7,
            "details": ["kernel panic in slot B: not syncing", "attempts: 3"]}});
        assert_eq!(device.post(&format!("/deploymentBase/{id}/feedback"), reasons).await, 200);
        let done = server.deployment("device-001", id).await;
        assert_eq!((&done["state"], &done["detail"]), (&json!(state), &json!("kernel panic in slot B: not syncing")));
        let last = done["timeline"].as_array().unwrap().last().unwrap();
        assert_eq!(last["details"], json!(["kernel panic in slot B: not syncing", "attempts: 3", "status code 7"]));
    }
    assert!(device.poll().await["_links"].get("installedBase").is_none());
}

#[tokio::test]
async fn a_deployment_is_cancelled_at_once_or_with_the_devices_consent() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    let device = world.device(&server, "device-001");
    device.poll().await;
    let cancel = async |id: i64, body| {
        server.call(Method::POST, &format!("/devices/device-001/deployments/{id}/cancel"), Some(body)).await
    };

    let unseen = server.deploy("device-001", release).await;
    assert_eq!(cancel(unseen, json!({})).await.1["state"], "cancelled");
    assert_eq!(cancel(unseen, json!({})).await.0, 409);

    // Once the device has begun it is asked, and may refuse.
    let id = server.deploy("device-001", release).await;
    let (status, problem) =
        server.call(Method::POST, "/devices/device-001/deployments", Some(json!({"release": release}))).await;
    assert_eq!(status, 409, "{problem}");
    let base = device.poll().await;
    device.follow(&base, "deploymentBase").await;
    for (answer, finished, state) in [("rejected", "success", "offered"), ("closed", "success", "cancelled")] {
        let (status, asked) = cancel(id, json!({})).await;
        assert_eq!((status.as_u16(), &asked["cancel_requested"]), (202, &json!(true)));
        let base = device.poll().await;
        assert!(base["_links"].get("deploymentBase").is_none());
        assert_eq!(device.get(&format!("/deploymentBase/{id}")).await.status(), 404);
        let stop = json!({"id": id.to_string(), "cancelAction": {"stopId": id.to_string()}});
        assert_eq!(device.follow(&base, "cancelAction").await, stop);
        let path = format!("/cancelAction/{id}/feedback");
        assert_eq!(device.post(&path, feedback(&id.to_string(), answer, finished, "said")).await, 200);
        assert_eq!(server.deployment("device-001", id).await["state"], state);
    }
    // A device that never asks again.
    let lost = server.deploy("device-001", release).await;
    device.json(&format!("/deploymentBase/{lost}")).await;
    assert_eq!(cancel(lost, json!({"force": true})).await.1["state"], "cancelled");
    assert_eq!(device.feedback(&lost.to_string(), "closed", "success", "late").await, 410);
}

#[tokio::test]
async fn consent_is_given_beforehand_or_asked_for() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    let device = world.device(&server, "device-001");
    device.poll().await;
    let beforehand = device.json("/confirmationBase").await;
    assert_eq!(beforehand["autoConfirm"], json!({"active": true}));
    assert_eq!(device.post("/confirmationBase/deactivateAutoConfirm", json!(null)).await, 200);

    let id = server.deploy("device-001", release).await;
    let base = device.poll().await;
    assert!(base["_links"].get("deploymentBase").is_none(), "{base}");
    assert_eq!(device.get(&format!("/deploymentBase/{id}")).await.status(), 404);
    assert_eq!(device.get(&format!("/softwaremodules/{release}/artifacts")).await.status(), 404);
    assert_eq!(device.feedback(&id.to_string(), "closed", "success", "").await, 404);
    let question = device.follow(&base, "confirmationBase").await;
    assert_eq!((&question["id"], &question["confirmation"]["update"]), (&json!(id.to_string()), &json!("forced")));

    let answer = |confirmation: &str| json!({"confirmation": confirmation, "details": ["at the door"]});
    let path = format!("/confirmationBase/{id}/feedback");
    assert_eq!(device.post(&path, answer("denied")).await, 200);
    assert!(device.poll().await["_links"].get("confirmationBase").is_some());
    assert_eq!(device.post(&path, answer("confirmed")).await, 200);
    let base = device.poll().await;
    device.follow(&base, "deploymentBase").await;
    assert_eq!(device.post(&path, answer("confirmed")).await, 404, "it was answered");
    let activate = json!({"initiator": "Ada", "remark": "at night"});
    assert_eq!(device.post("/confirmationBase/activateAutoConfirm", activate).await, 200);
    let state = device.json("/confirmationBase").await;
    assert_eq!((&state["autoConfirm"]["active"], &state["autoConfirm"]["initiator"]), (&json!(true), &json!("Ada")));
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    let device = world.device(&server, "device-001");
    device.poll().await;
    let id = server.deploy("device-001", release).await;
    let path = format!("/deploymentBase/{id}/feedback");
    for body in [
        json!({}),
        json!({"status": {"execution": "exploded", "result": {"finished": "none"}}}),
        json!({"status": {"execution": "closed", "result": {"finished": "perhaps"}}}),
        json!({"status": {"execution": "closed"}}),
    ] {
        assert_eq!(device.post(&path, body.clone()).await, 400, "{body}");
    }
    // The server may close the connection before it has read all of it, and then its answer may be lost. So it is a
    // connection of its own.
    let other = world.device(&server, "device-001");
    let large = other.request(Method::POST, &format!("{}{path}", device.base)).body("y".repeat(200_000)).send().await;
    assert!(large.is_err() || large.is_ok_and(|answer| answer.status() == 413));
    for path in ["/deploymentBase/999/feedback", "/deploymentBase/a/feedback", "/cancelAction/1/feedback"] {
        assert_eq!(device.post(path, feedback("1", "closed", "success", "")).await, 404, "{path}");
    }
    let config =
        |data: Value| device.request(Method::PUT, &format!("{}/configData", device.base)).json(&json!({"data": data}));
    assert_eq!(config(json!({"": "x"})).send().await.unwrap().status(), 400);
    assert_eq!(config(json!({"a": "x\u{0}"})).send().await.unwrap().status(), 400);
    let many: serde_json::Map<String, Value> = (0..101).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(config(json!(many)).send().await.unwrap().status(), 403);
    let deployment = server.deployment("device-001", id).await;
    assert_eq!((&deployment["state"], deployment["timeline"].as_array().unwrap().len()), (&json!("offered"), 1));
}
