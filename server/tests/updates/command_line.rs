//! What an operator does from a command line: the real program against a real server.

use crate::program::{command, run};
use crate::simulation::{ids, run_devices};
use crate::world::{Server, World, eventually};
use serde_json::Value;
use std::process::Output;
use tokio_util::sync::CancellationToken;

/// Runs the program against a server; the server's runtime has threads of its own.
fn operate(server: &Server, arguments: &[&str]) -> Output {
    run(command().args(arguments).args(["--server", &server.url]))
}

/// What a successful command prints.
fn printed(server: &Server, arguments: &[&str]) -> String {
    let output = operate(server, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same as JSON.
fn json(server: &Server, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(server, &[arguments, &["--output", "json"]].concat())).unwrap()
}

/// The exit code and the complaint of a command that is not done.
fn refused(server: &Server, arguments: &[&str]) -> (i32, String) {
    let output = operate(server, arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn releases_are_uploaded_listed_shown_and_deleted() {
    let world = World::start().await;
    let server = world.server().await;
    assert_eq!(printed(&server, &["releases", "list"]), "No releases yet: upload a signed bundle.\n");
    let bundle = world.folder.path().join("microkernel.raucb");
    std::fs::write(&bundle, world.signer.bundle("1.0.1", 3_000_000)).unwrap();
    let path = bundle.to_str().unwrap();

    let release = json(&server, &["releases", "upload", path]);
    assert_eq!((&release["id"], &release["version"]), (&Value::from(1), &Value::from("1.0.1")));
    let again = operate(&server, &["releases", "upload", path]);
    assert!(again.status.success() && String::from_utf8(again.stderr).unwrap().contains("was here already"));
    let table = printed(&server, &["releases", "list"]);
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap()[..3], ["ID", "VERSION", "FOR"]);
    assert_eq!(lines.next().unwrap()[..3], ["1", "1.0.1", "microkernel-test"]);
    assert!(printed(&server, &["releases", "show", "1"]).contains(release["sha256"].as_str().unwrap()));
    assert_eq!(json(&server, &["releases", "list"]).as_array().unwrap().len(), 1);

    std::fs::write(&bundle, "hello").unwrap();
    let (code, told) = refused(&server, &["releases", "upload", path]);
    assert!(code == 1 && told.contains("was not taken: the bundle is refused"), "{told}");
    let (code, told) = refused(&server, &["releases", "upload", "/nowhere"]);
    assert!(code == 1 && told.contains("/nowhere can't be read"), "{told}");
    assert!(operate(&server, &["releases", "delete", "1"]).status.success());
    let (code, told) = refused(&server, &["releases", "show", "1"]);
    assert!(code == 1 && told.contains("there is no release 1"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_made_watched_and_tried_again() {
    let world = World::start().await;
    let server = world.server().await;
    server.release(&world, "1.0.1").await;
    let ids = ids(6);
    world.known_devices(ids.iter().cloned(), "1.0.0").await;
    printed(&server, &["devices", "tag", "pilot", "--add", "device-000", "--add", "device-001"]);
    let listed = json(&server, &["devices", "list", "--tag", "pilot"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[1]["id"]), (2, &Value::from("device-001")));
    assert!(printed(&server, &["devices", "show", "device-001"]).contains("pilot"));

    // Its devices are well: it finishes, which is success.
    let end = CancellationToken::new();
    let devices = run_devices(&world, &[&server], &ids, |number| number == 4, &end);
    let create = ["rollouts", "create", "--release", "1.0.1"];
    let watched = tokio::task::block_in_place(|| {
        operate(&server, &[&create[..], &["--tag", "pilot", "--wave", "1", "--wave", "100%", "--watch"]].concat())
    });
    let lines = String::from_utf8(watched.stdout.clone()).unwrap();
    assert!(watched.status.success(), "{watched:?}");
    assert!(lines.trim_end().ends_with("finished: 2 of 2 done, 0 in flight, 0 failed"), "{lines}");

    // One of four fails: it halts, which is code 3.
    let waves = ["--prefix", "device-", "--wave", "100%,error=20", "--at-once", "2", "--name", "the rest", "--watch"];
    let mut arguments = [&create[..], &waves].concat();
    // A simulated device says nothing over MQTT of the version that it runs: the pilots are among them.
    arguments.extend(["--output", "json"]);
    let watched = tokio::task::block_in_place(|| operate(&server, &arguments));
    assert_eq!(watched.status.code(), Some(0), "1 of 6 is below 20 %: {watched:?}");
    let last = String::from_utf8(watched.stdout).unwrap();
    let last: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!((&last["state"], &last["waves"][0]["rolled_back"]), (&Value::from("finished"), &Value::from(1)));
    let id = last["id"].to_string();
    let shown = printed(&server, &["rollouts", "show", &id]);
    assert!(shown.contains("device-004") && shown.contains("rolled back: no init"), "{shown}");

    let again = json(&server, &["rollouts", "retry", &id]);
    assert_eq!((&again["name"], &again["waves"][0]["size"]), (&Value::from("the rest, again"), &Value::from(1)));
    let watched = tokio::task::block_in_place(|| operate(&server, &["rollouts", "watch", &again["id"].to_string()]));
    assert_eq!(watched.status.code(), Some(3), "{watched:?}");
    assert!(String::from_utf8(watched.stdout).unwrap().contains("halted: "), "and why");
    end.cancel();
    devices.join_all().await;

    let table = printed(&server, &["rollouts", "list"]);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(printed(&server, &["rollouts", "cancel", &again["id"].to_string()]).contains("cancelled"));
    let (code, told) = refused(&server, &["rollouts", "pause", &again["id"].to_string()]);
    assert!(code == 1 && told.contains("is cancelled: it can't pause"), "{told}");
    let (code, told) = refused(&server, &["rollouts", "create", "--release", "9.9", "--all"]);
    assert!(code == 1 && told.contains("no release \"9.9\" (there are: 1.0.1)"), "{told}");
    assert_eq!(refused(&server, &["rollouts", "create", "--release", "1.0.1"]).0, 2, "no target");
}

#[tokio::test]
async fn deployments_are_given_listed_and_cancelled() {
    let world = World::start().await;
    let server = world.server().await;
    server.release(&world, "1.0.1").await;
    world.known_devices(["device-1".to_owned(), "device-2".to_owned(), "device-3".to_owned()], "1.0.0").await;
    let one = json(&server, &["deployments", "create", "--release", "1.0.1", "--device", "device-1"]);
    assert_eq!((&one["state"], &one["device_id"]), (&Value::from("offered"), &Value::from("device-1")));
    let rest = printed(&server, &["deployments", "create", "--release", "1", "--all"]);
    assert!(rest.contains("device-2") && rest.contains("1 more are at another update"), "{rest}");
    assert_eq!(json(&server, &["deployments", "list"]).as_array().unwrap().len(), 3);
    let listed = printed(&server, &["deployments", "list", "--device", "device-1"]);
    assert!(listed.contains("1.0.0 -> 1.0.1") && listed.lines().count() == 2, "{listed}");

    let id = one["id"].to_string();
    assert!(printed(&server, &["deployments", "cancel", "device-1", &id]).contains("cancelled"));
    let (code, told) = refused(&server, &["deployments", "cancel", "device-1", &id]);
    assert!(code == 1 && told.contains("is over: cancelled"), "{told}");
    // One that has begun is asked.
    let device = world.device(&server, "device-2");
    let base = device.poll().await;
    device.follow(&base, "deploymentBase").await;
    let begun = json(&server, &["deployments", "list", "--device", "device-2"])[0]["id"].to_string();
    let asked = operate(&server, &["deployments", "cancel", "device-2", &begun]);
    assert!(String::from_utf8(asked.stderr).unwrap().contains("is asked to cancel"));
    assert!(
        eventually("it learns of it", async || device.poll().await["_links"].get("cancelAction").cloned())
            .await
            .is_object()
    );
}

#[test]
fn a_server_that_is_not_there_is_told_with_the_remedy() {
    let output = run(command().args(["devices", "list", "--server", "http://127.0.0.1:1"]));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("http://127.0.0.1:1/api/v1/devices can't be reached") && told.contains("--server"), "{told}");
}
