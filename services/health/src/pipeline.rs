//! Whether readings flow: from the sensors into the ring, from the ring into the uplink's spool.

use crate::{Limits, poll};
use microkernel_bus::{Error, sensor::FeedProxy, uplink::LinkProxy};
use zbus::Connection;

/// What the sensor service has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sensing {
    /// How many sensors are configured.
    sensors: usize,
    /// Readings and failed attempts: a broken sensor is the hardware's fault, and no reason to refuse an update.
    attempts: u64,
    newest_seq: u64,
}

impl Sensing {
    async fn now(bus: &Connection) -> Result<Self, Error> {
        let feed = FeedProxy::uncached(bus).await.map_err(Error::from)?;
        let sensors = feed.sensors().await?;
        Ok(Self {
            sensors: sensors.len(),
            attempts: sensors.iter().map(|sensor| sensor.readings + sensor.failures).sum(),
            newest_seq: feed.newest_seq().await?,
        })
    }
}

/// How many readings the uplink has taken, be they published, spooled or dropped by policy. None when there is no uplink.
async fn taken(bus: &Connection) -> Result<Option<u64>, Error> {
    let link = LinkProxy::uncached(bus).await.map_err(Error::from)?;
    match async { Ok::<_, Error>(link.published().await? + link.spool_depth().await? + link.dropped().await?) }.await {
        Ok(count) => Ok(Some(count)),
        // A device without an identity has no uplink; that an enabled one is missing is the other check's to say.
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits until a reading was tried, and the uplink has taken what was read.
///
/// # Errors
/// After [`Limits::pipeline`]: what stands still.
pub async fn check(bus: &Connection, limits: &Limits) -> Result<String, String> {
    // From here on it is counted.
    let first = poll::until(limits.pipeline, limits.poll, || async {
        Ok((Sensing::now(bus).await.map_err(sensor)?, taken(bus).await.map_err(uplink)?))
    })
    .await?;
    if first.0.sensors == 0 {
        return Ok("no sensor is configured".to_owned());
    }
    poll::until(limits.pipeline, limits.poll, || async {
        moved(first, (Sensing::now(bus).await.map_err(sensor)?, taken(bus).await.map_err(uplink)?))
    })
    .await
}

fn sensor(error: Error) -> String {
    format!("the sensor service does not answer: {error}")
}

fn uplink(error: Error) -> String {
    format!("the uplink does not answer: {error}")
}

fn moved(first: (Sensing, Option<u64>), now: (Sensing, Option<u64>)) -> Result<String, String> {
    let attempts = now.0.attempts.saturating_sub(first.0.attempts);
    if attempts == 0 {
        return Err(format!("none of {} sensors was read", now.0.sensors));
    }
    let readings = now.0.newest_seq.saturating_sub(first.0.newest_seq);
    match (first.1, now.1) {
        (None, None) => Ok(format!("{attempts} attempts, {readings} readings; there is no uplink")),
        (before, after) => {
            let taken = after.unwrap_or(0).saturating_sub(before.unwrap_or(0));
            if readings > 0 && taken == 0 {
                return Err(format!("{readings} readings were taken, and the uplink fetched none"));
            }
            Ok(format!("{attempts} attempts, {readings} readings, {taken} in the uplink"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sensing(attempts: u64, newest_seq: u64) -> Sensing {
        Sensing { sensors: 2, attempts, newest_seq }
    }

    #[test]
    fn readings_that_the_uplink_takes_pass() {
        moved((sensing(5, 5), Some(3)), (sensing(6, 6), Some(4))).unwrap();
    }

    #[test]
    fn sensors_that_are_not_read_fail() {
        let reason = moved((sensing(5, 5), Some(3)), (sensing(5, 5), Some(3))).unwrap_err();
        assert_eq!(reason, "none of 2 sensors was read");
    }

    #[test]
    fn an_uplink_that_stands_still_fails() {
        let reason = moved((sensing(5, 5), Some(3)), (sensing(9, 9), Some(3))).unwrap_err();
        assert_eq!(reason, "4 readings were taken, and the uplink fetched none");
    }

    #[test]
    fn broken_hardware_passes() {
        moved((sensing(5, 0), Some(0)), (sensing(9, 0), Some(0))).unwrap();
    }

    #[test]
    fn a_device_without_an_uplink_passes() {
        moved((sensing(5, 5), None), (sensing(6, 6), None)).unwrap();
    }
}
