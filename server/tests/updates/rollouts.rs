//! Rollouts over many devices, all real but for the machines.

use crate::simulation::{ids, replay, run_devices, watch};
use crate::world::{Server, World, eventually};
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A world with so many devices of version 1.0.0, and a server with release 1.0.1.
async fn with_devices(count: usize) -> (World, Server, Vec<String>) {
    let world = World::start().await;
    let server = world.server().await;
    server.release(&world, "1.0.1").await;
    let ids = ids(count);
    world.known_devices(ids.iter().cloned(), "1.0.0").await;
    (world, server, ids)
}

/// The rollout once it is in this state.
async fn becomes(server: &Server, id: i64, state: &str) -> Value {
    eventually(&format!("rollout {id} is {state}"), async || {
        let rollout = server.get(&format!("/rollouts/{id}")).await;
        (rollout["state"] == state).then_some(rollout)
    })
    .await
}

async fn create(server: &Server, rollout: Value) -> i64 {
    server.post("/rollouts", rollout).await["id"].as_i64().unwrap()
}

fn sum(rollout: &Value, name: &str) -> i64 {
    rollout["waves"].as_array().unwrap().iter().map(|wave| wave[name].as_i64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_200_devices_of_which_a_tenth_fails_it_halts_at_its_threshold() {
    let (world, server, ids) = with_devices(200).await;
    let end = CancellationToken::new();
    let devices = run_devices(&world, &[&server], &ids, |number| number % 10 == 5, &end);
    let watching = tokio::spawn(watch(world.pool.clone(), end.clone()));
    let id = create(
        &server,
        json!({
            "name": "1.0.1 for all", "release": 1, "max_in_flight": 12,
            "waves": [
                {"percent": 10, "success_threshold_percent": 80, "error_threshold_percent": 30},
                {"percent": 100, "error_threshold_percent": 5},
            ],
        }),
    )
    .await;
    let halted = becomes(&server, id, "halted").await;
    let settled = eventually("what was in flight is done", async || {
        let rollout = server.get(&format!("/rollouts/{id}")).await;
        (sum(&rollout, "in_flight") == 0).then_some(rollout)
    })
    .await;
    end.cancel();
    devices.join_all().await;

    // 5 % of the 180 devices of the second wave.
    assert_eq!(halted["reason"], "wave 2: 9 of 180 devices failed, which reaches its error threshold of 5 %");
    let waves = settled["waves"].as_array().unwrap();
    assert_eq!(
        (&waves[0]["size"], &waves[0]["rolled_back"], &waves[0]["succeeded"]),
        (&json!(20), &json!(2), &json!(18))
    );
    let failed = waves[1]["rolled_back"].as_i64().unwrap();
    assert!((9..9 + 12).contains(&failed), "nothing was offered after the halt: {failed}");
    assert!(sum(&settled, "scheduled") > 50, "most devices were spared: {settled}");
    assert_eq!(settled["state"], "halted");

    let log = replay(&world.pool).await;
    assert_eq!(log.most_in_flight, 12, "the limit was used and kept");
    assert!(watching.await.unwrap() <= 12);
    assert_eq!(log.offers as i64, 200 - sum(&settled, "scheduled"), "no device was offered it twice");
    let late = "SELECT count(*) FROM deployment_events e WHERE e.state = 'offered' AND e.source = 'server'
        AND e.at > (SELECT at FROM rollout_events WHERE event LIKE 'halted%')";
    assert_eq!(world.count(late).await, 0);
    let events: Vec<&str> =
        settled["log"].as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events[..4], ["created for 200 devices", "running", "wave 1 started", "wave 2 started"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_and_parallel_polls_keep_the_limit_exactly() {
    let (world, server, ids) = with_devices(60).await;
    let second = world.server().await;
    let end = CancellationToken::new();
    let devices = run_devices(&world, &[&server, &second], &ids, |_| false, &end);
    let watching = tokio::spawn(watch(world.pool.clone(), end.clone()));
    let id = create(&server, json!({"name": "all", "release": 1, "max_in_flight": 7})).await;
    let finished = becomes(&second, id, "finished").await;
    end.cancel();
    devices.join_all().await;
    assert_eq!((sum(&finished, "succeeded"), &finished["reason"]), (60, &Value::Null));
    let log = replay(&world.pool).await;
    assert_eq!(log.most_in_flight, 7);
    assert!(watching.await.unwrap() <= 7);
    assert_eq!(log.in_flight.last(), Some(&0));
    assert_eq!(log.offers, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_midway_leaves_the_rollout_to_the_next() {
    let (world, server, ids) = with_devices(30).await;
    let end = CancellationToken::new();
    let devices = run_devices(&world, &[&server], &ids, |_| false, &end);
    let id = create(&server, json!({"name": "all", "release": 1, "max_in_flight": 5})).await;
    eventually("some are done", async || {
        let rollout = server.get(&format!("/rollouts/{id}")).await;
        (sum(&rollout, "succeeded") >= 8).then_some(())
    })
    .await;
    server.kill();
    end.cancel();
    devices.join_all().await;
    let done = world.count("SELECT count(*) FROM deployments WHERE state = 'succeeded'").await;
    assert!((8..30).contains(&done), "{done}");

    let next = world.server().await;
    let end = CancellationToken::new();
    let devices = run_devices(&world, &[&next], &ids, |_| false, &end);
    let finished = becomes(&next, id, "finished").await;
    end.cancel();
    devices.join_all().await;
    assert_eq!(sum(&finished, "succeeded"), 30);
    assert_eq!(replay(&world.pool).await.most_in_flight, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_pauses_resumes_and_cancels() {
    let (world, server, ids) = with_devices(20).await;
    let id = create(&server, json!({"name": "all", "release": 1, "max_in_flight": 4})).await;
    let order = async |action: &str| server.call(Method::POST, &format!("/rollouts/{id}/{action}"), None).await;
    eventually("four are offered", async || {
        (sum(&server.get(&format!("/rollouts/{id}")).await, "in_flight") == 4).then_some(())
    })
    .await;
    assert_eq!(order("pause").await.1["state"], "paused");
    assert_eq!(order("pause").await.0, 409);
    // What was offered goes on, but nothing more is.
    let first = world.device(&server, &ids[0]);
    let base = first.poll().await;
    let deployment = first.follow(&base, "deploymentBase").await;
    let action = deployment["id"].as_str().unwrap();
    assert_eq!(first.feedback(action, "closed", "success", "done").await, 200);
    tokio::time::sleep(Duration::from_secs(3)).await; // Longer than the server waits to look around.
    let paused = server.get(&format!("/rollouts/{id}")).await;
    assert_eq!((sum(&paused, "in_flight"), sum(&paused, "succeeded"), sum(&paused, "scheduled")), (3, 1, 16));

    assert_eq!(order("resume").await.0, 200);
    let resumed = becomes(&server, id, "running").await;
    assert_eq!(sum(&resumed, "in_flight"), 4);

    // One has begun and is asked; the others were not yet looked at.
    let second = world.device(&server, &ids[1]);
    let base = second.poll().await;
    let action = second.follow(&base, "deploymentBase").await["id"].as_str().unwrap().to_owned();
    assert_eq!(second.feedback(&action, "proceeding", "none", "writing").await, 200);
    assert_eq!(order("cancel").await.1["state"], "cancelled");
    assert_eq!(order("resume").await.0, 409);
    let cancelled = server.get(&format!("/rollouts/{id}")).await;
    assert_eq!((sum(&cancelled, "cancelled"), sum(&cancelled, "in_flight")), (18, 1));
    let base = second.poll().await;
    second.follow(&base, "cancelAction").await;
    let too_late = crate::device::feedback(&action, "rejected", "success", "too late");
    assert_eq!(second.post(&format!("/cancelAction/{action}/feedback"), too_late).await, 200);
    assert_eq!(second.feedback(&action, "closed", "success", "done").await, 200);
    let settled = server.get(&format!("/rollouts/{id}")).await;
    assert_eq!((sum(&settled, "cancelled"), sum(&settled, "succeeded")), (18, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_halt_an_operator_may_go_on_with_the_failures_accepted() {
    let (world, server, ids) = with_devices(10).await;
    let end = CancellationToken::new();
    let devices = run_devices(&world, &[&server], &ids, |number| number == 2, &end);
    let rollout = json!({"name": "all", "release": 1, "max_in_flight": 1, "waves": [{"percent": 100, "error_threshold_percent": 10}]});
    let id = create(&server, rollout).await;
    becomes(&server, id, "halted").await;
    server.post(&format!("/rollouts/{id}/resume"), json!({})).await;
    let finished = becomes(&server, id, "finished").await;
    end.cancel();
    devices.join_all().await;
    assert_eq!((sum(&finished, "succeeded"), sum(&finished, "rolled_back")), (9, 1));
    assert_eq!(finished["waves"][0]["accepted_failures"], 1);
}

#[tokio::test]
async fn only_the_devices_that_are_meant_are_taken() {
    let (world, server, _) = with_devices(6).await;
    world.known_devices(["other-1".to_owned(), "other-2".to_owned()], "0.9.0").await;
    world.known_devices(["device-done".to_owned()], "1.0.1").await;
    for (target, from_versions, size) in [
        (json!("all"), json!(null), 8),
        (json!({"prefix": "device-"}), json!(null), 6),
        (json!({"devices": ["device-001", "other-1"]}), json!(null), 2),
        (json!("all"), json!(["0.9.0"]), 2),
    ] {
        let rollout = json!({"name": "x", "release": 1, "target": target, "from_versions": from_versions});
        let created = server.post("/rollouts", rollout).await;
        assert_eq!(created["waves"][0]["size"], size, "{target} {from_versions}");
        server.post(&format!("/rollouts/{}/cancel", created["id"]), json!({})).await;
    }
    for (rollout, status, words) in [
        (json!({"name": "x", "release": 9}), 422, "no release 9"),
        (json!({"name": "x", "release": 1, "target": {"devices": ["nobody"]}}), 422, "1 of the devices"),
        (json!({"name": "x", "release": 1, "target": {"prefix": "nobody"}}), 422, "no device is meant"),
        (json!({"name": "", "release": 1}), 400, "name"),
        (json!({"name": "x", "release": 1, "waves": [{"percent": 1, "count": 1}]}), 422, "either percent or count"),
        (json!({"name": "x", "release": 1, "wave": []}), 422, "wave"),
    ] {
        let (answered, problem) = server.call(Method::POST, "/rollouts", Some(rollout.clone())).await;
        assert_eq!(answered, status, "{rollout}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{rollout}: {problem}");
    }
}

#[tokio::test]
async fn nothing_is_offered_before_the_start_nor_outside_the_window() {
    let (world, server, _) = with_devices(2).await;
    let minute = |offset: i64| {
        let now = jiff::Timestamp::now().as_second() / 60 + offset;
        format!("{:02}:{:02}", now.rem_euclid(1440) / 60, now.rem_euclid(60))
    };
    let later = json!({"name": "later", "release": 1, "target": {"devices": ["device-000"]}, "starts_at": "2100-01-01T00:00:00Z"});
    let closed = json!({"name": "closed", "release": 1, "target": {"devices": ["device-001"]},
        "window": {"from": minute(60), "to": minute(120)}});
    let (later, closed) = (create(&server, later).await, create(&server, closed).await);
    becomes(&server, closed, "running").await;
    tokio::time::sleep(Duration::from_secs(3)).await; // Longer than the server waits to look around.
    assert_eq!(server.get(&format!("/rollouts/{later}")).await["state"], "scheduled");
    assert_eq!(world.count("SELECT count(*) FROM deployments WHERE state <> 'scheduled'").await, 0);
    let open = json!({"name": "open", "release": 1, "target": {"devices": ["device-001"]},
        "window": {"from": minute(-60), "to": minute(60)}});
    let open = create(&server, open).await;
    eventually("it is offered", async || {
        (sum(&server.get(&format!("/rollouts/{open}")).await, "in_flight") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_offer_that_no_device_takes_lapses_for_another_device() {
    let (world, server, _) = with_devices(3).await;
    let id = create(&server, json!({"name": "all", "release": 1, "max_in_flight": 1})).await;
    let offered = async || -> Option<Value> {
        let rollout = server.get(&format!("/rollouts/{id}")).await;
        let deployments = rollout["deployments"].as_array().unwrap().clone();
        deployments.into_iter().find(|deployment| deployment["state"] == "offered")
    };
    let first = eventually("one is offered", &offered).await;
    // As if it had been offered sixteen minutes ago.
    let earlier = "UPDATE deployments SET offered_at = offered_at - interval '16 minutes' WHERE state = 'offered'";
    sqlx::query(earlier).execute(&world.pool).await.unwrap();
    let second = eventually("another is offered", async || {
        offered().await.filter(|deployment| deployment["device_id"] != first["device_id"])
    })
    .await;
    assert_eq!((&first["device_id"], &second["device_id"]), (&json!("device-000"), &json!("device-001")));
    // One that its device has looked at does not lapse.
    let device = world.device(&server, "device-001");
    let base = device.poll().await;
    device.follow(&base, "deploymentBase").await;
    sqlx::query(earlier).execute(&world.pool).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await; // Longer than the server waits to look around.
    assert_eq!(offered().await.unwrap()["device_id"], "device-001");
    assert_eq!(replay(&world.pool).await.most_in_flight, 1);
}

#[tokio::test]
async fn a_page_that_looks_on_is_told_of_each_step() {
    let (world, server, ids) = with_devices(2).await;
    let id = create(&server, json!({"name": "all", "release": 1, "max_in_flight": 1})).await;
    let answer = reqwest::get(format!("{}/api/v1/events?rollout={id}", server.url)).await.unwrap();
    let mut chunks = answer.bytes_stream();
    let mut text = String::new();
    let mut seen = async |what: &str| {
        let wait = async {
            while !text.contains(what) {
                text.push_str(std::str::from_utf8(&chunks.next().await.unwrap().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(crate::world::DEADLINE, wait).await.unwrap_or_else(|_| panic!("{what}"));
    };
    seen("event: rollout").await;
    let device = world.device(&server, &ids[0]);
    eventually("it is offered", async || device.poll().await["_links"].get("deploymentBase").map(drop)).await;
    let base = device.poll().await;
    let action = device.follow(&base, "deploymentBase").await["id"].as_str().unwrap().to_owned();
    device.feedback(&action, "proceeding", "none", "writing slot B").await;
    seen("\"state\":\"installing\"").await;
    device.feedback(&action, "closed", "success", "done").await;
    seen("\"state\":\"succeeded\"").await;
    let (status, _) = server.call(Method::GET, "/events?rollout=99", None).await;
    assert_eq!(status, 404);
}
