//! Downloads, whole and in parts.

use crate::device::Device;
use crate::world::{Server, World};
use reqwest::Method;
use serde_json::json;
use std::io::{Read as _, Write as _};

/// A device that may fetch a bundle, and the bundle.
async fn with_bundle(world: &World) -> (Server, Device, Vec<u8>, String) {
    let server = world.server().await;
    let bundle = world.signer.bundle("1.0.1", 3_000_000);
    let (status, release) = server.upload(bundle.clone()).await;
    assert_eq!(status, 201, "{release}");
    let device = world.device(&server, "device-001");
    device.poll().await;
    server.deploy("device-001", release["id"].as_i64().unwrap()).await;
    let url = format!("{}/softwaremodules/1/artifacts/release-1.raucb", device.base);
    (server, device, bundle, url)
}

#[tokio::test]
async fn a_bundle_is_fetched_whole_or_in_parts() {
    let world = World::start().await;
    let (server, device, bundle, url) = with_bundle(&world).await;
    let size = bundle.len();
    let head = device.request(Method::HEAD, &url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, &*size.to_string()));
    assert_eq!(server.deployment("device-001", 1).await["state"], "offered", "a look is no download");

    let whole = device.request(Method::GET, &url).send().await.unwrap();
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!((whole.status().as_u16(), whole.headers()["accept-ranges"].to_str().unwrap()), (200, "bytes"));
    assert!(whole.bytes().await.unwrap() == bundle, "the whole bundle");
    assert_eq!(server.deployment("device-001", 1).await["state"], "downloading");

    let part = async |headers: &[(&str, &str)]| {
        let request = headers
            .iter()
            .fold(device.request(Method::GET, &url), |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        let range = answer.headers().get("content-range").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), range, answer.bytes().await.unwrap())
    };
    let middle = ("range", "bytes=1000000-1999999");
    let (status, range, bytes) = part(&[middle]).await;
    assert_eq!((status, range), (206, Some(format!("bytes 1000000-1999999/{size}"))));
    assert!(bytes == bundle[1_000_000..2_000_000]);
    let (status, range, bytes) = part(&[("range", "bytes=-10")]).await;
    assert_eq!((status, range), (206, Some(format!("bytes {}-{}/{size}", size - 10, size - 1))));
    assert!(bytes == bundle[size - 10..]);
    let resumed = format!("bytes={}-", size - 7);
    assert!(part(&[("range", &resumed)]).await.2 == bundle[size - 7..]);

    assert_eq!(part(&[middle, ("if-range", &etag)]).await.0, 206);
    assert_eq!(part(&[middle, ("if-range", "\"another\"")]).await.0, 200, "another bundle: all of it");
    assert_eq!(part(&[middle, ("if-match", "\"another\"")]).await.0, 412);
    assert_eq!(part(&[("if-none-match", &etag)]).await.0, 304);
    let (status, range, _) = part(&[("range", &format!("bytes={size}-"))]).await;
    assert_eq!((status, range), (416, Some(format!("bytes */{size}"))));
    let timeline = server.deployment("device-001", 1).await["timeline"].as_array().unwrap().len();
    assert_eq!(timeline, 2, "a thousand parts are one download, not a thousand entries");

    let sum = device.get("/softwaremodules/1/artifacts/release-1.raucb.MD5SUM").await.text().await.unwrap();
    assert!(sum.ends_with("  release-1.raucb") && sum.len() == 32 + 17, "{sum}");
}

#[tokio::test]
async fn no_name_leads_out_of_the_release() {
    let world = World::start().await;
    let (server, device, _, _) = with_bundle(&world).await;
    let secret = world.folder.path().join("bundles/keyring.pem");
    std::fs::write(&secret, "secret").unwrap();
    for name in [
        "..%2Fkeyring.pem",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2Fetc%2Fpasswd",
        "..",
        ".",
        "%00",
        "release-1.raucb%00",
        "RELEASE-1.raucb",
        "release-2.raucb",
        "..%5Ckeyring.pem",
        "release-1.raucb%2F..%2F..",
    ] {
        // By hand: a client's library would tidy the path up.
        let path = format!("/DEFAULT/controller/v1/device-001/softwaremodules/1/artifacts/{name}");
        let answer = raw_get(&server.https, &world, &path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{name}: {answer}");
        assert!(!answer.contains("secret") && !answer.contains("root:"), "{name}: {answer}");
    }
    for module in ["2", "-1", "1%2F..", "999999999999999999999"] {
        let answer = raw_get(
            &server.https,
            &world,
            &format!("/DEFAULT/controller/v1/device-001/softwaremodules/{module}/artifacts/release-1.raucb"),
        );
        assert!(answer.starts_with("HTTP/1.1 404"), "{module}: {answer}");
    }
    assert_eq!(device.poll().await["_links"]["deploymentBase"].is_object(), json!(true));
}

/// A request of exactly these bytes, by openssl.
fn raw_get(https: &str, world: &World, path: &str) -> String {
    let folder = world.certificate("device-001");
    let mut client = std::process::Command::new("openssl")
        .args(["s_client", "-quiet", "-no_ign_eof", "-connect", https, "-verify_quiet", "-cert"])
        .arg(folder.join("device-001.crt"))
        .arg("-key")
        .arg(folder.join("device-001.key"))
        .arg("-CAfile")
        .arg(folder.join("ca.crt"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    write!(input, "GET {path} HTTP/1.1\r\nHost: {https}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    drop(input);
    client.wait().unwrap();
    answer
}
