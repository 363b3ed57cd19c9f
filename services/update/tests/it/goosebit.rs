//! With a server that others wrote and RAUC itself. Ignored by default: gooseBit comes from PyPI.
//! `MICROKERNEL_TEST_GOOSEBIT=DIR/bin/python cargo nextest run -p microkernel-update --run-ignored all goosebit`.

use crate::support::{device::Device, eventually, goosebit::Goosebit, real_rauc::RealRauc};

#[tokio::test]
#[ignore = "needs root, Debian's rauc and squashfs-tools, and gooseBit from PyPI"]
async fn a_server_that_others_wrote_updates_the_device_and_learns_of_a_rollback() {
    let server = Goosebit::start().await;
    let mut device = Device::at(&server.url()).await;
    server.device_identity().write(&device.path("state/identity"), server.authority());
    let mut rauc = RealRauc::start(&device).await;
    device.services.confirm(true);
    device.configure(&server.url(), "transport = \"file\"\nattributes = { hw_boardname = \"test-device\" }");
    let agent = device.start();
    eventually("the device is registered", async || {
        let hardware = server.device()?["hardware"]["model"].clone();
        (hardware == "test-device").then_some(())
    })
    .await;

    server.assign(&rauc.bundle("1.0.1", b"the system 1.0.1"), "device-001");
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
    agent.kill();
    device.boot();
    rauc.boot("B").await;
    device.services.confirm(true);
    let agent = device.start();
    eventually("the server has the success", async || {
        let device = server.device()?;
        (device["last_state"] == "Finished" && device["sw_version"] == "1.0.1").then_some(())
    })
    .await;

    server.assign(&rauc.bundle("1.0.2", b"does not boot"), "device-001");
    eventually("the second reboot", async || (device.services.reboots() == 2).then_some(())).await;
    agent.kill();
    rauc.give_up("A", "B");
    device.boot();
    rauc.boot("B").await;
    device.services.confirm(true);
    let _agent = device.start();
    eventually("the server has the rollback", async || (server.device()?["last_state"] == "Error").then_some(())).await;
    assert_eq!(rauc.primary(), "B");
}
