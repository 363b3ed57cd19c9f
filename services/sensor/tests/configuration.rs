//! The configuration of the running service: files, reload, what comes over the bus, the command line.
#![allow(clippy::unwrap_used)]

mod support;

use microkernel_bus::Error;
use microkernel_bus::sensor::{FeedProxy, SensorState};
use rustix::process::Signal;
use support::{Device, eventually, state};

const GOOD: &str = "[sensor.sensors.A]\ndriver = 'simulated'\ninterval_seconds = 0.01\n";
const BAD: &str = "[sensor.sensors.A]\ndriver = 'simulated'\ninterval_seconds = 0\n";
const BAD_TEXT: &str = "sensor.toml:3:1: sensor.sensors.A.interval_seconds: expected a number from 0.001 to 100, found 0; correct it there";

/// More readings than at the time of the call.
async fn goes_on(feed: &FeedProxy<'_>, name: &str) -> SensorState {
    let before = state(feed, name, |_| true).await.readings;
    state(feed, name, |state| state.readings > before + 3).await
}

#[tokio::test]
async fn a_bad_file_is_reported_and_the_last_good_one_stays_in_force_over_a_restart() {
    let device = Device::new(GOOD);
    let mut service = device.start();
    let feed = device.feed().await;
    let before = state(&feed, "A", |state| state.readings > 3).await.readings;

    device.configure(BAD);
    service.signal(Signal::HUP);
    let problem = state(&feed, "configuration", |_| true).await;
    assert_eq!((problem.state.as_str(), problem.errno), ("failing", 22));
    assert!(problem.error.ends_with(BAD_TEXT), "{}", problem.error);
    assert!(goes_on(&feed, "A").await.readings > before, "the counts go on: it was not restarted");

    service.signal(Signal::TERM);
    assert!(service.exit().await.success());
    service = device.start();
    let feed = device.feed().await;
    goes_on(&feed, "A").await;
    assert!(state(&feed, "configuration", |_| true).await.error.ends_with(BAD_TEXT));

    device.configure(&GOOD.replace('A', "B"));
    service.signal(Signal::HUP);
    goes_on(&feed, "B").await;
    let names: Vec<_> = feed.sensors().await.unwrap().into_iter().map(|state| state.name).collect();
    assert_eq!(names, ["B"]);
}

#[tokio::test]
async fn a_first_start_with_a_bad_file_ends_with_the_reason() {
    let device = Device::new(BAD);
    let output = device.command().output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(BAD_TEXT), "{text}");
}

#[tokio::test]
async fn a_configuration_over_the_bus_is_applied_and_kept() {
    let device = Device::new(GOOD);
    let service = device.start();
    let feed = device.feed().await;
    let before = state(&feed, "A", |state| state.readings > 3).await.readings;
    feed.apply_config("[sensor.sensors.B]\ndriver = 'simulated'\ninterval_seconds = 0.01\n").await.unwrap();
    goes_on(&feed, "B").await;
    assert!(state(&feed, "A", |_| true).await.readings >= before, "an unchanged sensor keeps running");

    service.signal(Signal::KILL);
    drop(service);
    let _service = device.start();
    eventually("both after a restart", async || {
        let states = feed.sensors().await.ok()?;
        (states.len() == 2 && states.iter().all(|state| state.readings > 3)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_bad_configuration_over_the_bus_is_refused_with_its_key_and_changes_nothing() {
    let device = Device::new(GOOD);
    let _service = device.start();
    let feed = device.feed().await;
    for (toml, text) in [
        (
            "[sensor.sensors.A]\ninterval_seconds = 1000\n",
            "sensor.sensors.A.interval_seconds: expected a number from 0.001 to 100, found 1000",
        ),
        ("[sensor.sensors.B]\ndriver = 'lm57'\n", "sensor.sensors.B.driver: expected one of lm75, tmp105"),
        ("[sensor]\nsensor = {}\n", "sensor.sensor: expected one of ring_capacity, sensors"),
        ("[mqtt]\nhost = 'elsewhere'\n", "[mqtt]: expected only the section [sensor]"),
        ("[sensors.A]\n", "unknown section [sensors]"),
        ("not toml", "not valid TOML"),
    ] {
        let error = feed.apply_config(toml).await.unwrap_err();
        assert!(matches!(&error, Error::InvalidConfig(reason) if reason.contains(text)), "{toml}: {error}");
    }
    assert_eq!(goes_on(&feed, "A").await.interval_seconds, 0.01);
    assert_eq!(feed.sensors().await.unwrap().len(), 1, "a refused call is the caller's problem, not the service's");
}

#[tokio::test]
async fn the_command_line_checks_a_configuration_and_lists_the_drivers() {
    let device = Device::new(GOOD);
    let run = |argument: &str| device.command().arg(argument).output().unwrap();
    let good = run("--check-config");
    assert_eq!(
        (good.status.code(), good.stdout.as_slice()),
        (Some(0), b"The configuration is good. Sensors: A\n".as_slice())
    );
    device.configure(BAD);
    let bad = run("--check-config");
    assert_eq!(bad.status.code(), Some(78));
    assert!(String::from_utf8(bad.stderr).unwrap().contains(BAD_TEXT));
    let drivers = String::from_utf8(run("--list-drivers").stdout).unwrap();
    assert!(drivers.starts_with("lm75 ") && drivers.contains("simulated "), "{drivers}");
    let help = String::from_utf8(run("--help").stdout).unwrap();
    assert!(help.contains("MICROKERNEL_CONFIG_PATH") && help.contains("/etc/microkernel/config.d"), "{help}");
}

#[tokio::test]
async fn the_command_line_reads_each_sensor_once_and_says_which_did_not_answer() {
    let steady = "[sensor.sensors.A]\ndriver = 'simulated'\nmean = 25.5\namplitude = 0\nnoise = 0\ndrift_per_hour = 0\n\
                  spike_probability = 0\nstuck_probability = 0\nunit = 'kW'\n";
    let device = Device::new(steady);
    let read = || {
        let output = device.command().arg("--read-once").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(read(), (Some(0), "A: 25.5 kW\n".to_owned(), String::new()));

    device.configure(&format!("{steady}[sensor.sensors.B]\ndriver = 'lm75'\nbus = 255\n"));
    let missing = "B: open lm75 at i2c-255 address 0x48: No such file or directory (errno 2)\n";
    assert_eq!(read(), (Some(1), "A: 25.5 kW\n".to_owned(), missing.to_owned()));

    device.configure(BAD);
    let (code, stdout, stderr) = read();
    assert_eq!((code, stdout.as_str()), (Some(78), ""));
    assert!(stderr.contains(BAD_TEXT), "{stderr}");

    device.configure("");
    let (code, _, stderr) = read();
    assert_eq!(code, Some(78));
    assert!(stderr.contains("no sensors are configured"), "{stderr}");
}
