//! What a bundle is, and how RAUC gets at it.

use super::dictionary::Dictionary;
use std::collections::HashMap;
use zbus::Variant;

/// How RAUC reads a bundle from a server. The files are opened by RAUC's sandbox user (`[streaming] sandbox-user`).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BundleAccess {
    /// The client's certificate, PEM.
    pub tls_cert: Option<String>,
    /// Its private key, PEM.
    pub tls_key: Option<String>,
    /// The authority that signed the server's certificate, PEM; without it, the system's.
    pub tls_ca: Option<String>,
    /// Headers for every request, each `Name: value`.
    pub http_headers: Vec<String>,
}

impl BundleAccess {
    pub(super) fn to_args(&self) -> HashMap<&'static str, Variant<'_>> {
        let files = [("tls-cert", &self.tls_cert), ("tls-key", &self.tls_key), ("tls-ca", &self.tls_ca)];
        let mut args: HashMap<_, Variant<'_>> =
            files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?.into()))).collect();
        if !self.http_headers.is_empty() {
            args.insert("http-headers", self.http_headers.clone().into());
        }
        args
    }
}

// The headers may be secrets.
impl std::fmt::Debug for BundleAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleAccess")
            .field("tls_cert", &self.tls_cert)
            .field("tls_key", &self.tls_key)
            .field("tls_ca", &self.tls_ca)
            .field("http_headers", &self.http_headers.len())
            .finish()
    }
}

/// A bundle's manifest, its signature verified by RAUC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BundleInfo {
    /// What devices it is for.
    pub compatible: String,
    /// Its version.
    pub version: String,
    /// The hash of its manifest; unknown before RAUC 1.9.
    pub manifest_hash: Option<String>,
    /// What it brings; empty when unknown (before RAUC 1.9).
    pub images: Vec<Image>,
}

/// One image of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The slot class it is for, or the artifact repository.
    pub slot_class: String,
    /// Its name in the repository; `None` for an image that is written to a slot.
    pub artifact: Option<String>,
}

impl BundleInfo {
    pub(super) fn new(info: Dictionary) -> Self {
        let update = info.dictionary("update");
        let image = |image: Dictionary| Image {
            slot_class: image.text("slot-class"),
            artifact: image.optional_text("artifact"),
        };
        Self {
            compatible: update.text("compatible"),
            version: update.text("version"),
            manifest_hash: info.optional_text("manifest-hash"),
            images: info.dictionaries("images").into_iter().map(image).collect(),
        }
    }

    /// Whether it brings artifacts only: no slot is written, nothing is to be rebooted.
    pub fn is_artifacts_only(&self) -> bool {
        !self.images.is_empty() && self.images.iter().all(|image| image.artifact.is_some())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn image(slot_class: &str, artifact: Option<&str>) -> Image {
        Image { slot_class: slot_class.to_owned(), artifact: artifact.map(str::to_owned) }
    }

    #[test]
    fn the_manifest_is_read_through_raucs_nested_variants() {
        let owned = |value: Variant<'_>| value.try_to_owned().unwrap();
        let nested = |value: Variant<'static>| owned(Variant::new(value));
        let update = HashMap::from([("compatible", Variant::from("device")), ("version", Variant::from("1.0.1"))]);
        let images = vec![
            HashMap::from([("slot-class", Variant::from("rootfs"))]),
            HashMap::from([("slot-class", Variant::from("scripts")), ("artifact", Variant::from("smooth"))]),
        ];
        let info = BundleInfo::new(Dictionary(HashMap::from([
            ("manifest-hash".to_owned(), owned("abc".into())),
            ("update".to_owned(), nested(update.into())),
            ("images".to_owned(), nested(images.into())),
        ])));
        let expected = BundleInfo {
            compatible: "device".to_owned(),
            version: "1.0.1".to_owned(),
            manifest_hash: Some("abc".to_owned()),
            images: vec![image("rootfs", None), image("scripts", Some("smooth"))],
        };
        assert_eq!(info, expected);
        assert_eq!(BundleInfo::new(Dictionary::default()), BundleInfo::default());
    }

    #[test]
    fn a_bundle_is_of_artifacts_only_when_that_is_known_of_every_image() {
        let with = |images: Vec<Image>| BundleInfo { images, ..BundleInfo::default() }.is_artifacts_only();
        assert!(with(vec![image("scripts", Some("smooth")), image("models", Some("m"))]));
        assert!(!with(vec![image("scripts", Some("smooth")), image("rootfs", None)]));
        assert!(!with(Vec::new()), "an old RAUC does not tell");
    }

    #[test]
    fn headers_are_not_shown() {
        let access = BundleAccess { http_headers: vec!["Authorization: s3cret".to_owned()], ..BundleAccess::default() };
        assert!(!format!("{access:?}").contains("s3cret"));
        assert_eq!(access.to_args().keys().collect::<Vec<_>>(), [&"http-headers"]);
    }
}
