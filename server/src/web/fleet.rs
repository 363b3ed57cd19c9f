//! The fleet page: every device at a glance.

use super::error::PageError;
use super::fleet_query::{Column, Filter, FleetQuery, ORDER_COOKIE, Order, Remembered, VIEW_COOKIE, View};
use super::guide::ConnectionGuide;
use super::render;
use crate::registry::{self, Device, DeviceState};
use crate::state::AppState;
use axum::extract::{Extension, Query, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use minijinja::value::Serde;
use minijinja::{Value, context};
use std::collections::{BTreeMap, HashMap};

/// A year, in seconds: how long a browser remembers the view and the order.
const REMEMBER_SECONDS: u32 = 31_536_000;

/// `GET /?q=&state=&view=&order=&page=`
pub(super) async fn show(
    State(app): State<AppState>,
    guide: Option<Extension<ConnectionGuide>>,
    Query(parameters): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let devices = registry::list(&app.pool, app.organisation, None).await?;
    let query = FleetQuery::parse(&parameters);
    if devices.is_empty() {
        let guide = guide.map(|Extension(guide)| guide).unwrap_or_default();
        return render::page(StatusCode::OK, "empty.html", context! { guide => Serde(guide) });
    }
    let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let context = model(devices, &query, Remembered::parse(cookies));
    let mut response = render::page(StatusCode::OK, "fleet.html", context)?;
    remember(&query, response.headers_mut());
    Ok(response)
}

/// Keeps what the query says explicitly.
fn remember(query: &FleetQuery, headers: &mut HeaderMap) {
    let chosen = [
        query.view.map(|view| (VIEW_COOKIE, view.as_str().to_owned())),
        query.order.map(|order| (ORDER_COOKIE, order.to_string())),
    ];
    for (name, value) in chosen.into_iter().flatten() {
        let cookie = format!("{name}={value}; Path=/; Max-Age={REMEMBER_SECONDS}; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// What the template shows.
fn model(devices: Vec<Device>, query: &FleetQuery, remembered: Remembered) -> Value {
    let counts: BTreeMap<_, _> = Filter::EVERY
        .into_iter()
        .map(|filter| (filter.as_str(), devices.iter().filter(|device| passes(device, filter)).count()))
        .collect();
    let anomalies: i64 = devices.iter().map(|device| device.anomalies_24h).sum();
    let view = query.view(remembered, devices.len());
    let order = query.order(remembered);

    let search = query.search.to_lowercase();
    let mut shown: Vec<Device> =
        devices.into_iter().filter(|device| passes(device, query.filter) && matches(device, &search)).collect();
    sort(&mut shown, order);
    let matching = shown.len();
    let pages = matching.div_ceil(view.page_size()).max(1);
    let page = query.page.min(pages);
    let shown: Vec<Device> = shown.into_iter().skip((page - 1) * view.page_size()).take(view.page_size()).collect();

    let first = (page - 1) * view.page_size() + 1;
    context! {
        counts, anomalies, matching, page, pages, first,
        last => first + shown.len() - usize::from(!shown.is_empty()),
        devices => Serde(shown),
        search => &query.search, filter => query.filter.as_str(), view => view.as_str(),
        order => order.column.as_str(), descending => order.descending,
        links => links(query, order, page),
    }
}

/// The addresses that the page links to, by what they change.
fn links(query: &FleetQuery, order: Order, page: usize) -> Value {
    let filter: BTreeMap<_, _> = Filter::EVERY
        .into_iter()
        .map(|filter| (filter.as_str(), query.href(|q| (q.filter, q.page) = (filter, 1))))
        .collect();
    let view: BTreeMap<_, _> = [View::Cards, View::Table]
        .into_iter()
        .map(|view| (view.as_str(), query.href(|q| (q.view, q.page) = (Some(view), 1))))
        .collect();
    let order: BTreeMap<_, _> = Column::EVERY
        .into_iter()
        .map(|column| (column.as_str(), query.href(|q| (q.order, q.page) = (Some(order.after_click(column)), 1))))
        .collect();
    context! {
        filter, view, order,
        previous => query.href(|q| q.page = page.saturating_sub(1)),
        next => query.href(|q| q.page = page + 1),
        everything => query.href(|q| { q.search.clear(); q.filter = Filter::All; q.page = 1 }),
    }
}

/// Whether a device's id or one of its tags has the text, which is in lower case.
fn matches(device: &Device, search: &str) -> bool {
    std::iter::once(&device.id).chain(&device.tags).any(|name| name.to_lowercase().contains(search))
}

fn passes(device: &Device, filter: Filter) -> bool {
    match filter {
        Filter::All => true,
        Filter::Online => device.state == DeviceState::Online,
        Filter::Offline => device.state == DeviceState::Offline,
        Filter::Unknown => device.state == DeviceState::Unknown,
        Filter::Anomalies => device.anomalies_24h > 0,
    }
}

/// Sorts by the order's column, and by id where that is equal.
fn sort(devices: &mut [Device], order: Order) {
    devices.sort_by(|a, b| {
        let by_column = match order.column {
            Column::Id => a.id.cmp(&b.id),
            Column::State => a.state.as_str().cmp(b.state.as_str()),
            Column::LastSeen => a.last_seen_at.cmp(&b.last_seen_at),
            Column::Version => a.version.cmp(&b.version),
            Column::Anomalies => a.anomalies_24h.cmp(&b.anomalies_24h),
        };
        let by_column = if order.descending { by_column.reverse() } else { by_column };
        by_column.then_with(|| a.id.cmp(&b.id))
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::time::Time;

    fn device(number: i64, state: DeviceState) -> Device {
        Device {
            id: format!("device-{number:03}"),
            state,
            state_changed_at: None,
            version: Some(format!("1.0.{}", number % 2)),
            slot: None,
            last_seen_at: (number != 1).then(|| Time::from_micros(number * 1_000_000)),
            created_at: Time::from_micros(0),
            anomalies_24h: number % 3,
            sensors: vec![],
            rejected: 0,
            tags: if number == 2 { vec!["Pilot".to_owned()] } else { vec![] },
        }
    }

    fn shown(devices: Vec<Device>, query: &str) -> (Vec<String>, Value) {
        let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let model = model(devices, &FleetQuery::parse(&parameters), Remembered::default());
        let devices = model.get_attr("devices").unwrap();
        let ids = devices.try_iter().unwrap().map(|device| device.get_attr("id").unwrap().to_string()).collect();
        (ids, model)
    }

    fn four() -> Vec<Device> {
        use DeviceState::{Offline, Online, Unknown};
        [Online, Offline, Unknown, Online].into_iter().zip(1..).map(|(state, number)| device(number, state)).collect()
    }

    #[test]
    fn devices_are_filtered_by_state_and_part_of_the_id() {
        assert_eq!(shown(four(), "state=online").0, ["device-001", "device-004"]);
        assert_eq!(shown(four(), "state=offline").0, ["device-002"]);
        assert_eq!(shown(four(), "state=unknown").0, ["device-003"]);
        assert_eq!(shown(four(), "state=anomalies").0, ["device-001", "device-002", "device-004"]);
        assert_eq!(shown(four(), "q=DEVICE-003").0, ["device-003"]);
        assert_eq!(shown(four(), "q=x").0, [""; 0]);
    }

    #[test]
    fn a_device_is_found_by_its_tag() {
        assert_eq!(shown(four(), "q=pilot").0, ["device-002"]);
    }

    #[test]
    fn devices_are_sorted_by_a_column_and_then_by_id() {
        assert_eq!(shown(four(), "order=version").0, ["device-002", "device-004", "device-001", "device-003"]);
        assert_eq!(shown(four(), "order=-last_seen").0, ["device-004", "device-003", "device-002", "device-001"]);
        assert_eq!(shown(four(), "order=-anomalies").0, ["device-002", "device-001", "device-004", "device-003"]);
    }

    #[test]
    fn a_large_fleet_is_shown_in_pages() {
        let fleet = || (1..=230).map(|number| device(number, DeviceState::Online)).collect();
        let (ids, model) = shown(fleet(), "page=3");
        assert_eq!((ids.len(), ids[0].as_str()), (30, "device-201"));
        assert_eq!(model.get_attr("view").unwrap().to_string(), "table");
        assert_eq!(model.get_attr("last").unwrap().to_string(), "230");
        assert_eq!(shown(fleet(), "page=99").0.len(), 30, "beyond the end is the end");
    }

    #[test]
    fn the_page_shows_what_it_is_given_and_nothing_of_it_as_html() {
        let mut devices = four();
        devices[0].id = "<script>".to_owned();
        for view in ["view=cards", "view=table"] {
            let (_, model) = shown(devices.clone(), view);
            let html = render::text("fleet.html", model).unwrap();
            assert!(html.contains("&lt;script&gt;</a>") && !html.contains("<script>"), "{html}");
            assert!(html.contains(r#"href="/devices/%3Cscript%3E""#), "{html}");
        }
    }
}
