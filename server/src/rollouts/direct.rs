//! Deployments outside of any rollout, and the rollout that tries again what failed in another.

use super::{CreateError, NewRollout, NewWave, Rollouts, WaveSize, default_error, default_success, store};
use crate::deployments::{self, Given};
use crate::releases::{self, Release};
use crate::targets::{self, Target};

impl Rollouts {
    /// Gives devices a release at once; those that are at another update are left out.
    ///
    /// # Errors
    /// The database's.
    pub async fn deploy(&self, release: &Release, device_keys: &[i32]) -> Result<Vec<Given>, sqlx::Error> {
        let given = deployments::store::create(&self.pool, self.organisation, device_keys, release.id).await?;
        self.live.changed(given.iter().map(|given| given.device_id.clone()));
        for given in given.iter().filter(|given| given.online) {
            self.nudge(&given.device_id, &release.version).await;
        }
        Ok(given)
    }

    /// The same for all devices that are meant; and how many of them were left out.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn deploy_to(&self, release_id: i64, target: &Target) -> Result<(Vec<Given>, usize), CreateError> {
        let release = releases::store::find(&self.pool, self.organisation, release_id).await?;
        let release = release.ok_or(CreateError::NoRelease(release_id))?;
        let mut connection = self.pool.acquire().await?;
        let devices = targets::store::resolve(&mut connection, self.organisation, target, None, release_id).await?;
        drop(connection);
        target.check_found(devices.len(), &release.version)?;
        let given = self.deploy(&release, &devices).await?;
        let left_out = devices.len() - given.len();
        Ok((given, left_out))
    }

    /// Makes a rollout over the devices that failed in another, in one wave, otherwise as that one; `None` when there is
    /// no such rollout.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn retry(&self, id: i64) -> Result<Option<i64>, CreateError> {
        let Some(failed) = store::find(&self.pool, self.organisation, id).await? else { return Ok(None) };
        let thresholds = failed.waves.last().map_or((default_success(), default_error()), |wave| {
            // Percentages, as the table's checks have it.
            (wave.success_threshold_percent as u8, wave.error_threshold_percent as u8)
        });
        let again = NewRollout {
            name: format!("{}, again", failed.name.chars().take(100).collect::<String>()),
            release: failed.release_id,
            target: Target::FailedOf(id),
            from_versions: None,
            waves: vec![NewWave {
                size: WaveSize::Percent(100),
                success_threshold_percent: thresholds.0,
                error_threshold_percent: thresholds.1,
            }],
            max_in_flight: u16::try_from(failed.max_in_flight).unwrap_or(u16::MAX),
            starts_at: None,
            window: failed.window,
        };
        self.create(&again).await.map(Some)
    }
}
