//! Whether a bundle may be installed here. RAUC has verified its signature by now, and will refuse a bundle for another kind
//! of device itself; here that is said before anything is written.

use super::{
    event::{Context, Device},
    state::{Kind, Plan, SlotRef},
};
use microkernel_bus::rauc::{BundleInfo, Slot};
use semver::Version;

/// What becomes of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is to be installed.
    Install(Plan),
    /// It is what runs already.
    Current,
    /// It is not for this device, and why.
    Refuse(String),
}

/// Judges a bundle.
pub(super) fn judge(info: &BundleInfo, context: &Context<'_>) -> Verdict {
    let device = context.device;
    if info.compatible != device.compatible {
        let (bundle, here) = (&info.compatible, &device.compatible);
        return Verdict::Refuse(format!("not compatible: the bundle is for {bundle:?}, this device is {here:?}"));
    }
    let Some(booted) = device.booted() else {
        return Verdict::Refuse("the system was not booted from a slot".to_owned());
    };
    if info.is_artifacts_only() {
        // Artifacts have versions of their own, which say nothing beside the system's.
        return Verdict::Install(plan(Kind::Artifacts, info, device, booted, booted));
    }
    if is_running(info, device, booted) {
        return Verdict::Current;
    }
    if !context.policy.allow_downgrade && is_older(&info.version, &device.version) {
        let (bundle, here) = (&info.version, &device.version);
        return Verdict::Refuse(format!(
            "{bundle} is older than {here}, which runs; allow_downgrade of [update] in the configuration would let it in"
        ));
    }
    match device.other() {
        Some(target) => Verdict::Install(plan(Kind::Slots, info, device, booted, target)),
        None => Verdict::Refuse("there is no second slot to install into".to_owned()),
    }
}

fn plan(kind: Kind, info: &BundleInfo, device: &Device, from: &Slot, target: &Slot) -> Plan {
    Plan {
        kind,
        version: info.version.clone(),
        manifest_hash: info.manifest_hash.clone(),
        from: slot_ref(from),
        from_version: device.version.clone(),
        target: slot_ref(target),
        activated_count: target.activated_count,
    }
}

fn slot_ref(slot: &Slot) -> SlotRef {
    SlotRef { name: slot.name.clone(), bootname: slot.bootname.clone().unwrap_or_else(|| slot.name.clone()) }
}

/// The same version from another build (another hash) is not what runs.
fn is_running(info: &BundleInfo, device: &Device, booted: &Slot) -> bool {
    let other_build = match (&info.manifest_hash, &booted.manifest_hash) {
        (Some(bundle), Some(here)) => bundle != here,
        _ => false,
    };
    !info.version.is_empty() && info.version == device.version && !other_build
}

/// Versions that are not semantic ones can't be compared: then neither is older.
fn is_older(version: &str, than: &str) -> bool {
    let parse = |text: &str| Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
    parse(version).zip(parse(than)).is_some_and(|(version, than)| version.cmp_precedence(&than).is_lt())
}
