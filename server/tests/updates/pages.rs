//! The pages of releases, rollouts and a device's updates, as a browser without scripts sees them.

use crate::world::{Server, World, eventually};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::json;

async fn page(server: &Server, path: &str) -> String {
    let answer = reqwest::get(format!("{}{path}", server.url)).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let html = answer.text().await.unwrap();
    assert!(!html.contains("style=\""), "{path}: the page's own policy forbids styles of an element's own");
    html.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sends a form: the status, where it leads, and the page that it leads to.
async fn submit(server: &Server, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let request = client.post(format!("{}{path}", server.url)).body(body.join("&"));
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), location, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_rollout_is_made_watched_and_ended_without_scripts() {
    let world = World::start().await;
    let server = world.server().await;
    assert!(page(&server, "/releases").await.contains("No releases yet"));
    assert!(page(&server, "/rollouts").await.contains("upload a release</a> first"));
    server.release(&world, "1.0.1").await;
    assert!(page(&server, "/releases").await.contains("O = Test, CN = signer"));
    world.known_devices(["device-001".to_owned(), "device-002".to_owned()], "1.0.0").await;

    let good = [("name", "Fixes <b>"), ("release", "1"), ("waves", "1, 100 %"), ("max_in_flight", "1")];
    let (status, _, html) = submit(&server, "/rollouts", &[good[0], good[1], ("waves", "some"), good[3]]).await;
    assert_eq!(status, 422);
    assert!(html.contains("“some” is neither a percentage") && html.contains("value=\"Fixes &lt;b&gt;\""), "{html}");
    let (status, location, _) = submit(&server, "/rollouts", &good).await;
    assert_eq!((status, location.as_str()), (303, "/rollouts/1"));
    eventually("it is offered", async || {
        page(&server, "/rollouts/1").await.contains("data-step=\"offered\" href").then_some(())
    })
    .await;

    let device = world.device(&server, "device-001");
    let base = device.poll().await;
    let action = device.follow(&base, "deploymentBase").await["id"].as_str().unwrap().to_owned();
    device.feedback(&action, "closed", "failure", "rolled back: <no init>").await;
    eventually("it halts", async || {
        let html = page(&server, "/rollouts/1").await;
        html.contains("wave 1: 1 of 1 devices failed, which reaches its error threshold of 10 %").then_some(())
    })
    .await;
    let html = page(&server, "/rollouts/1").await;
    assert!(html.contains("Halted by itself.") && html.contains("rolled back: &lt;no init&gt;"), "{html}");
    let html = page(&server, "/devices/device-001").await;
    assert!(html.contains("rolled back: &lt;no init&gt;") && html.contains("href=\"/rollouts/1\""), "{html}");

    assert_eq!(submit(&server, "/rollouts/1/cancel", &[]).await.0, 303);
    assert!(page(&server, "/rollouts/1").await.contains(">cancelled</span></div>"));
    for (path, status) in [("/rollouts/9", 404), ("/rollouts/x", 404)] {
        assert_eq!(reqwest::get(format!("{}{path}", server.url)).await.unwrap().status(), status);
    }
    let foreign =
        Client::new().post(format!("{}/rollouts/1/resume", server.url)).header("origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    assert_eq!(server.get("/rollouts/1").await["state"], json!("cancelled"));
}
