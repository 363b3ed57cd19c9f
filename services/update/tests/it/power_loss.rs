//! The power fails in every state that is written down, and the update gets to its end all the same.

use crate::support::{
    ddi::Ddi,
    device::Device,
    eventually,
    rauc::{Rauc, Script},
};
use axum::http::StatusCode;

/// Brings a device into `state`, kills the agent there, and lets the same or the next boot go on.
async fn lose_power_in(state: &str, transport: &str, another_boot: bool) {
    let server = Ddi::start().await;
    let mut device = Device::new(&server).await;
    let rauc = Rauc::serve(&device.address).await;
    device.services.confirm(true);
    device.configure(&server.url(), &format!("transport = \"{transport}\""));
    server.offer("8", "1.0.1", "attempt", "a bundle");
    match state {
        "held" => device.services.confirm(false),
        "downloading" => server.records().stall_after = Some(4),
        "installing" => rauc.world().script = Script::GoOn,
        _ => {}
    }
    let mut agent = device.start();
    if matches!(state, "confirming" | "reporting") {
        device.until_journal("rebooting").await;
        agent.kill();
        device.boot();
        rauc.boot(1);
        if state == "reporting" {
            server.records().feedback_fault = Some(StatusCode::BAD_GATEWAY);
            device.services.confirm(true);
        }
        agent = device.start();
    }
    device.until_journal(state).await;
    if state == "downloading" {
        eventually("half of the bundle was sent", async || server.records().stall_after.is_none().then_some(())).await;
    }
    agent.kill();

    // The outage is over.
    server.records().feedback_fault = None;
    rauc.world().script = Script::Succeed;
    if another_boot {
        device.boot();
        let primary = rauc.world().primary;
        rauc.boot(primary);
    }
    if state != "confirming" || another_boot {
        device.services.confirm(true);
    }
    if state == "installing" && !another_boot {
        // RAUC is another process: it goes on, and ends while there is an agent or while there is none.
        rauc.end(Ok(())).await;
    }
    let agent = device.start();
    if rauc.world().booted == 0 {
        device.until_journal("rebooting").await;
        agent.kill();
        device.boot();
        rauc.boot(1);
        device.services.confirm(true);
        let _agent = device.start();
        assert_eq!(server.outcome("8").await.0, "success", "{state}, {transport}, another boot: {another_boot}");
    } else {
        device.services.confirm(true);
        assert_eq!(server.outcome("8").await.0, "success", "{state}, {transport}, another boot: {another_boot}");
        drop(agent);
    }
    assert!(rauc.world().installed.len() <= 2, "{state}: {:?}", rauc.world().installed);
    assert_eq!(rauc.world().versions, ["1.0.0", "1.0.1"]);
}

macro_rules! power_losses {
    ($($name:ident: $state:literal, $transport:literal;)*) => {$(
        mod $name {
            #[tokio::test]
            async fn of_the_agent() {
                super::lose_power_in($state, $transport, false).await;
            }

            #[tokio::test]
            async fn of_the_device() {
                super::lose_power_in($state, $transport, true).await;
            }
        }
    )*};
}

power_losses! {
    held: "held", "stream";
    downloading: "downloading", "file";
    installing: "installing", "stream";
    rebooting: "rebooting", "stream";
    confirming: "confirming", "file";
    reporting: "reporting", "stream";
}

#[tokio::test]
async fn an_agent_that_restarts_while_rauc_installs_sees_it_through() {
    let server = Ddi::start().await;
    let device = Device::new(&server).await;
    let rauc = Rauc::serve(&device.address).await;
    device.services.confirm(true);
    rauc.world().script = Script::GoOn;
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let agent = device.start();
    device.until_journal("installing").await;
    eventually("RAUC has begun", async || rauc.world().installing.then_some(())).await;
    agent.kill();
    let _agent = device.start();
    server.until_polled().await;
    rauc.end(Ok(())).await;
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
    assert_eq!(rauc.world().installed.len(), 1);
}
