//! A device as hawkBit's clients are: it asks over HTTPS and follows links.

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Device {
    /// `https://host:port/DEFAULT/controller/v1/id`
    pub(crate) base: String,
    client: Client,
    authorization: Option<String>,
}

impl Device {
    /// A device that shows the certificate in `certificate`, if any.
    pub(crate) fn new(https: &str, id: &str, certificate: Option<&Path>, ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some(folder) => {
                // Named after its owner, which need not be whom the device claims to be.
                let owner = folder.file_name().unwrap().to_str().unwrap();
                let chain = vec![CertificateDer::from_pem_file(folder.join(format!("{owner}.crt"))).unwrap()];
                let key = PrivateKeyDer::from_pem_file(folder.join(format!("{owner}.key"))).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let client = Client::builder().tls_backend_preconfigured(config).build().unwrap();
        let base = format!("https://{https}/DEFAULT/controller/v1/{id}");
        Self { base, client, authorization: None }
    }

    pub(crate) fn with_authorization(mut self, value: &str) -> Self {
        self.authorization = Some(value.to_owned());
        self
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, &format!("{}{path}", self.base)).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> StatusCode {
        self.request(Method::POST, &format!("{}{path}", self.base)).json(&body).send().await.unwrap().status()
    }

    /// Polls: the base resource.
    pub(crate) async fn poll(&self) -> Value {
        self.json("").await
    }

    /// Follows a link of the base resource.
    pub(crate) async fn follow(&self, base: &Value, relation: &str) -> Value {
        let url = base["_links"][relation]["href"].as_str().unwrap_or_else(|| panic!("no {relation} in {base}"));
        let answer = self.request(Method::GET, url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn feedback(&self, action: &str, execution: &str, finished: &str, detail: &str) -> StatusCode {
        self.post(&format!("/deploymentBase/{action}/feedback"), feedback(action, execution, finished, detail)).await
    }
}

/// Feedback as rauc-hawkbit-updater words it.
pub(crate) fn feedback(action: &str, execution: &str, finished: &str, detail: &str) -> Value {
    json!({
        "id": action, "time": "20261124T120000",
        "status": {"result": {"finished": finished}, "execution": execution, "details": [detail]},
    })
}
