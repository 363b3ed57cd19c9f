//! Who asks. In this order: a client certificate whose common name is the controller's id, the device's own TargetToken,
//! the tenant's GatewayToken.

use super::store::{self, Tenant};
use crate::api::problem::Problem;
use crate::embedded::SERVER_NAME;
use crate::https::Peer;
use crate::state::{AppState, OrganisationId};
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use microkernel_wire::DeviceId;
use sha2::{Digest as _, Sha256};

/// A device that has proved who it is, or its gateway for it.
#[derive(Debug)]
pub(super) struct Controller {
    pub(super) organisation: OrganisationId,
    pub(super) device_key: i32,
    pub(super) id: DeviceId,
    /// Where this device's resources are: `https://host/tenant/controller/v1/id`.
    pub(super) base: String,
}

impl FromRequestParts<AppState> for Controller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let path = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
        let named = |wanted: &str| path.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value);
        let (tenant, controller) = (named("tenant").to_owned(), named("controller").to_owned());
        let common_name = parts.extensions.get::<ConnectInfo<Peer>>().and_then(|peer| peer.0.common_name.clone());
        let base = base(&parts.headers, &tenant, &controller)?;
        let (organisation, id, device_key) =
            authenticate(state, &tenant, &controller, common_name.as_deref(), &parts.headers).await?;
        Ok(Self { organisation, device_key, id, base })
    }
}

async fn authenticate(
    state: &AppState,
    tenant: &str,
    controller: &str,
    common_name: Option<&str>,
    headers: &HeaderMap,
) -> Result<(OrganisationId, DeviceId, i32), Problem> {
    let token = token(headers);
    // The same for whoever is not let in: nobody learns from it which tenants and devices there are.
    let refused = || match common_name {
        Some(name) => {
            let detail = format!("the client certificate is {name:?}'s: it can't speak for {controller:?}");
            Problem::new(StatusCode::FORBIDDEN, detail)
        }
        None => Problem::new(
            StatusCode::UNAUTHORIZED,
            "a client certificate is needed, or Authorization: TargetToken … or GatewayToken …",
        ),
    };
    let id: DeviceId = controller.parse().map_err(|_| refused())?;
    let Some(tenant) = store::tenant(&state.pool, tenant).await? else { return Err(refused()) };
    let organisation = tenant.organisation;
    let is_named = common_name == Some(id.as_str()) && id.as_str() != SERVER_NAME;
    // Until accounts exist, the CA's certificates are for the devices of this organisation.
    let by_certificate = is_named && organisation == state.organisation;
    let known = store::device(&state.pool, organisation, &id).await?;
    if by_certificate || is_gateway(&tenant, token) {
        let key = match known {
            Some(device) => device.key,
            // A device of another tenant is not taken over.
            None => store::register(&state.pool, organisation, &id).await?.ok_or_else(refused)?,
        };
        return Ok((organisation, id, key));
    }
    match (known, token) {
        (Some(device), Some(("TargetToken", token))) if device.token_hash.as_deref() == Some(&hash(token)[..]) => {
            Ok((organisation, id, device.key))
        }
        _ => Err(refused()),
    }
}

fn is_gateway(tenant: &Tenant, token: Option<(&str, &str)>) -> bool {
    matches!(token, Some(("GatewayToken", token)) if tenant.gateway_token_hash.as_deref() == Some(&hash(token)[..]))
}

/// Scheme and token of the Authorization header.
fn token(headers: &HeaderMap) -> Option<(&str, &str)> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let scheme = ["TargetToken", "GatewayToken"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
    Some((scheme, token.trim()))
}

/// What is kept of a token. It is random and long, so a plain hash is enough, and comparing hashes tells nothing about
/// the token by the time it takes.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The address of the device's resources, by the name that it has used for this server.
fn base(headers: &HeaderMap, tenant: &str, controller: &str) -> Result<String, Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
    });
    let host = host.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "the header Host names no host"))?;
    // Both are plain where they are accepted: a tenant's slug and a device's id have no character to be encoded.
    Ok(format!("https://{host}/{tenant}/controller/v1/{controller}"))
}
