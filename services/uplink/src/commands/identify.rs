//! Making the device noticeable: an LED of the kernel's LED class blinks for a while.

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

/// For how long it blinks.
const BLINKING: Duration = Duration::from_secs(30);

/// An LED: a folder below `/sys/class/leds` (kernel documentation, "LED handling under Linux").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Led {
    dir: PathBuf,
}

impl Led {
    /// The LED whose folder is `dir`.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Starts blinking and returns; afterwards the LED does again what it did before. Returns, or fails with, what to
    /// tell.
    ///
    /// # Errors
    /// When the LED is not there or may not be written.
    pub(super) fn blink(&self) -> Result<String, String> {
        let failed = |error: io::Error| {
            let dir = self.dir.display();
            format!("the LED {dir} can't be used: {error}; correct uplink.identify_led, or let this service write it")
        };
        let before = self.active_trigger().map_err(failed)?;
        self.set_trigger("timer").map_err(failed)?;
        let led = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(BLINKING).await;
            if let Err(error) = led.set_trigger(&before) {
                tracing::warn!("the LED {} goes on blinking: {error}", led.dir.display());
            }
        });
        Ok(format!("the LED {} blinks for {} s", self.dir.display(), BLINKING.as_secs()))
    }

    /// The file lists all triggers, the active one in brackets. One that identifies already is not what to return to.
    fn active_trigger(&self) -> io::Result<String> {
        let triggers = fs::read_to_string(self.dir.join("trigger"))?;
        let active = triggers.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
        Ok(active.filter(|trigger| *trigger != "timer").unwrap_or("none").to_owned())
    }

    fn set_trigger(&self, trigger: &str) -> io::Result<()> {
        fs::write(self.dir.join("trigger"), trigger)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn blinks_and_then_does_again_what_it_did_before() {
        let dir = tempfile::tempdir().unwrap();
        let trigger = dir.path().join("trigger");
        fs::write(&trigger, "none timer [mmc0] heartbeat\n").unwrap();
        assert!(Led::new(dir.path().to_owned()).blink().unwrap().contains("blinks for 30 s"));
        assert_eq!(fs::read_to_string(&trigger).unwrap(), "timer");
        tokio::time::sleep(BLINKING + Duration::from_secs(1)).await;
        assert_eq!(fs::read_to_string(&trigger).unwrap(), "mmc0");
    }

    #[test]
    fn an_led_that_is_not_there_is_named() {
        let error = Led::new("/nonexistent/ACT".into()).blink().unwrap_err();
        assert!(error.contains("/nonexistent/ACT") && error.contains("uplink.identify_led"), "{error}");
    }
}
