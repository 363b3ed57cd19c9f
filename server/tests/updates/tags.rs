//! Tags, and what is given to the devices that have one.

use crate::world::{World, eventually};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn devices_are_grouped_by_tags_that_a_rollout_can_be_for() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    world.known_devices((1..=4).map(|number| format!("device-{number}")), "1.0.0").await;

    let (status, set) =
        server.call(Method::PUT, "/devices/device-1/tags", Some(json!({"tags": ["b", "pilot", "b"]}))).await;
    assert_eq!((status.as_u16(), set), (200, json!({"tags": ["b", "pilot"]})));
    let change = json!({"add": ["device-2", "device-3"], "remove": ["device-1"]});
    let tags = server.post("/tags/pilot", change).await;
    assert_eq!(tags["tags"], json!([{"tag": "b", "devices": 1}, {"tag": "pilot", "devices": 2}]));
    assert_eq!(server.get("/devices/device-2").await["tags"], json!(["pilot"]));

    let rollout = json!({"name": "pilots", "release": release, "target": {"tag": "pilot"}});
    let id = server.post("/rollouts", rollout).await["id"].as_i64().unwrap();
    let made = server.get(&format!("/rollouts/{id}")).await;
    let devices: Vec<&Value> = made["deployments"].as_array().unwrap().iter().map(|one| &one["device_id"]).collect();
    assert_eq!((devices, &made["target"]), (vec![&json!("device-2"), &json!("device-3")], &json!({"tag": "pilot"})));
    // A device that gets the tag later is not part of it.
    server.post("/tags/pilot", json!({"add": ["device-4"]})).await;
    assert_eq!(server.get(&format!("/rollouts/{id}")).await["deployments"].as_array().unwrap().len(), 2);

    for (method, path, body, status, words) in [
        (Method::PUT, "/devices/device-1/tags", json!({"tags": ["a b"]}), 422, "\"a b\" is no tag"),
        (Method::PUT, "/devices/nobody/tags", json!({"tags": []}), 404, "no device"),
        (Method::POST, "/tags/-x", json!({}), 400, "\"-x\" is no tag"),
        (Method::POST, "/tags/x", json!({"add": ["device-1", "nobody"]}), 404, "no device \"nobody\""),
    ] {
        let (answered, problem) = server.call(method, path, Some(body)).await;
        assert_eq!(answered, status, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    let tags = server.get("/tags").await;
    assert!(!tags.to_string().contains("\"x\""), "nothing is done by halves: {tags}");
}

#[tokio::test]
async fn a_release_is_given_to_several_devices_at_once() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    world.known_devices(["a-1".to_owned(), "a-2".to_owned(), "b-1".to_owned()], "1.0.0").await;
    world.known_devices(["a-done".to_owned()], "1.0.1").await;
    let first = server.deploy("a-1", release).await;

    let given = server.post("/deployments", json!({"release": release, "target": {"prefix": "a-"}})).await;
    assert_eq!((&given["busy"], given["deployments"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(given["deployments"][0]["device_id"], "a-2");
    let listed = server.get("/deployments").await;
    let ids: Vec<&Value> = listed["deployments"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&given["deployments"][0]["id"], &json!(first)]);
    assert_eq!(
        server.deployment("a-2", given["deployments"][0]["id"].as_i64().unwrap()).await["timeline"][0]["state"],
        "offered"
    );

    for (target, status, words) in [
        (json!({"devices": ["a-1", "a-2"]}), 409, "at another update"),
        (json!({"tag": "nobody"}), 422, "no device is meant"),
        (json!({"devices": ["nobody"]}), 422, "1 of the devices"),
    ] {
        let (answered, problem) =
            server.call(Method::POST, "/deployments", Some(json!({"release": release, "target": target}))).await;
        assert_eq!(answered, status, "{target}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
}

#[tokio::test]
async fn what_failed_in_a_rollout_is_tried_again_in_another() {
    let world = World::start().await;
    let server = world.server().await;
    let release = server.release(&world, "1.0.1").await;
    world.known_devices(["device-1".to_owned(), "device-2".to_owned()], "1.0.0").await;
    let rollout = json!({"name": "all", "release": release, "max_in_flight": 2,
        "waves": [{"percent": 100, "error_threshold_percent": 40}]});
    let id = server.post("/rollouts", rollout).await["id"].as_i64().unwrap();
    for (name, result) in [("device-1", "success"), ("device-2", "failure")] {
        let device = world.device(&server, name);
        eventually("it is offered", async || device.poll().await["_links"].get("deploymentBase").map(drop)).await;
        let base = device.poll().await;
        let action = device.follow(&base, "deploymentBase").await["id"].as_str().unwrap().to_owned();
        assert_eq!(device.feedback(&action, "closed", result, "the battery was low").await, 200);
    }
    eventually("it halts", async || (server.get(&format!("/rollouts/{id}")).await["state"] == "halted").then_some(()))
        .await;
    let again = server.post(&format!("/rollouts/{id}/retry"), json!({})).await;
    assert_eq!((&again["name"], &again["target"]), (&json!("all, again"), &json!({"failed_of": id})));
    assert_eq!((&again["waves"][0]["size"], &again["waves"][0]["error_threshold_percent"]), (&json!(1), &json!(40)));
    let again = server.get(&format!("/rollouts/{}", again["id"])).await;
    assert_eq!(again["deployments"][0]["device_id"], "device-2");
    let (status, _) = server.call(Method::POST, "/rollouts/99/retry", None).await;
    assert_eq!(status, 404);
}
