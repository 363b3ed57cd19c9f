//! Keeps other web sites out. Until accounts exist, whoever can send a request from this machine is trusted, and so is
//! a browser on it: but not the pages of others that it shows.

use super::problem::Problem;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Refuses a request that a page of another site made: by a name that only points here (DNS rebinding), or, where it
/// would change something, by its origin.
pub async fn same_origin(request: Request, next: Next) -> Response {
    match judge(request.method().is_safe(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn judge(is_safe: bool, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // HTTP/2 has the host in the URI.
    let host = uri.authority().map(|authority| authority.as_str()).or_else(|| text(header::HOST.as_str()));
    if let Some(host) = host.filter(|host| !is_local(host)) {
        let detail = format!("Host is {host:?}: expected this machine, for example localhost");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if is_safe {
        return Ok(());
    }
    if let Some(site) = text("sec-fetch-site").filter(|site| !matches!(*site, "same-origin" | "none")) {
        let detail = format!("Sec-Fetch-Site is {site:?}: only the server's own pages may change something");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let foreign = |origin: &&str| origin.split_once("://").map(|(_, authority)| authority) != host;
    if let Some(origin) = text(header::ORIGIN.as_str()).filter(foreign) {
        let detail = format!("Origin is {origin:?}: only the server's own pages may change something");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

/// Whether a Host header names this machine.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn status(is_safe: bool, headers: &[(&'static str, &'static str)]) -> Option<u16> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        judge(is_safe, &Uri::from_static("/api/v1/devices"), &headers).err().map(|problem| problem.status().as_u16())
    }

    #[test]
    fn the_servers_own_pages_and_programs_pass() {
        for host in ["127.0.0.1:4000", "localhost:4000", "[::1]:4000", "localhost", "fleet.localhost:4000"] {
            assert_eq!(status(false, &[("host", host)]), None, "{host}");
        }
        let page = [("host", "localhost:4000"), ("origin", "http://localhost:4000"), ("sec-fetch-site", "same-origin")];
        assert_eq!(status(false, &page), None);
    }

    #[test]
    fn pages_of_other_sites_do_not() {
        assert_eq!(status(true, &[("host", "evil.example:4000")]), Some(403));
        assert_eq!(status(false, &[("host", "localhost:4000"), ("origin", "http://evil.example")]), Some(403));
        assert_eq!(status(false, &[("host", "localhost:4000"), ("origin", "http://localhost:9")]), Some(403));
        assert_eq!(status(false, &[("host", "localhost:4000"), ("origin", "null")]), Some(403));
        assert_eq!(status(false, &[("host", "localhost:4000"), ("sec-fetch-site", "cross-site")]), Some(403));
        assert_eq!(status(true, &[("host", "localhost:4000"), ("sec-fetch-site", "cross-site")]), None);
    }
}
