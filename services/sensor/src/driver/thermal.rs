//! A kernel thermal zone, for example the processor's temperature.
//!
//! Source: Linux, Documentation/ABI/testing/sysfs-class-thermal: `type` names the zone, `temp` is in millidegrees.

use super::{Driver, Fault, Sample, sysfs};
use crate::quantity::Quantity;
use std::path::{Path, PathBuf};

/// One thermal zone.
pub(super) struct Thermal {
    temperature: PathBuf,
}

impl Thermal {
    /// Finds the zone by its type below `sysfs` (`/sys`).
    pub(super) fn open(sysfs: &Path, zone: &str) -> Result<Self, Fault> {
        let folder = sysfs::find(&sysfs.join("class/thermal"), "type", zone)?;
        Ok(Self { temperature: folder.join("temp") })
    }
}

impl Driver for Thermal {
    fn measures(&self) -> &[Quantity] {
        &[Quantity::Temperature]
    }

    fn read(&mut self) -> Result<Sample, Fault> {
        Ok(Sample::of(Quantity::Temperature, sysfs::number(&self.temperature)? / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn a_zone_is_found_by_its_type_and_read_in_degrees() {
        let sysfs = tempfile::tempdir().unwrap();
        for (zone, kind, temp) in [("thermal_zone0", "gpu-thermal", "51000"), ("thermal_zone1", "cpu-thermal", "-1500")]
        {
            let folder = sysfs.path().join("class/thermal").join(zone);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("type"), format!("{kind}\n")).unwrap();
            fs::write(folder.join("temp"), format!("{temp}\n")).unwrap();
        }
        let sample = Thermal::open(sysfs.path(), "cpu-thermal").unwrap().read().unwrap();
        assert_eq!(sample, Sample::of(Quantity::Temperature, -1.5));
    }

    /// On a machine that has thermal zones every one of them can be opened; a zone may still refuse to be read (it is
    /// switched off), which must then be an errno and never nonsense.
    #[test]
    fn the_zones_of_this_machine_are_found_or_their_absence_is_said() {
        let sysfs = Path::new("/sys");
        let zones: Vec<_> = fs::read_dir(sysfs.join("class/thermal"))
            .map(|entries| entries.filter_map(|entry| sysfs::text(&entry.ok()?.path().join("type")).ok()).collect())
            .unwrap_or_default();
        for zone in &zones {
            // Cooling devices have a type too, and then no temperature: ENOENT.
            match Thermal::open(sysfs, zone).unwrap().read() {
                Ok(sample) => assert!((-60.0..150.0).contains(&sample.get(Quantity::Temperature).unwrap())),
                Err(fault) => assert!(matches!(fault, Fault::Os { .. }), "{zone}: {fault}"),
            }
        }
        let fault = Thermal::open(sysfs, "no-such-zone").err().unwrap();
        assert!(matches!(fault, Fault::Missing(_)), "{fault}");
    }
}
