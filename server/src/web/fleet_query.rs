//! What the fleet page is asked to show: its query string, with the view and the order that the browser remembers.
//!
//! Anything unreadable falls back to its default: an old bookmark must not become an error page.

use std::collections::HashMap;

/// Above so many devices the table is the default.
const CARDS_UP_TO: usize = 24;
/// Devices a page.
const CARDS_A_PAGE: usize = 24;
const ROWS_A_PAGE: usize = 100;

/// The fleet page's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FleetQuery {
    /// Part of a device's id or of one of its tags, in any case.
    pub(super) search: String,
    /// Which devices.
    pub(super) filter: Filter,
    /// Cards or table, if the query says so.
    pub(super) view: Option<View>,
    /// The order, if the query says so.
    pub(super) order: Option<Order>,
    /// The page, from 1.
    pub(super) page: usize,
}

/// Which devices are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Filter {
    #[default]
    All,
    Online,
    Offline,
    /// Those that have sent readings but never their status.
    Unknown,
    /// With an anomaly in the last 24 hours.
    Anomalies,
}

impl Filter {
    pub(super) const EVERY: [Self; 5] = [Self::All, Self::Online, Self::Offline, Self::Unknown, Self::Anomalies];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
            Self::Anomalies => "anomalies",
        }
    }
}

/// How devices are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Cards,
    Table,
}

impl View {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cards => "cards",
            Self::Table => "table",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Cards, Self::Table].into_iter().find(|view| view.as_str() == text)
    }

    pub(super) fn page_size(self) -> usize {
        match self {
            Self::Cards => CARDS_A_PAGE,
            Self::Table => ROWS_A_PAGE,
        }
    }
}

/// A column that the devices can be put in order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    State,
    LastSeen,
    Version,
    Anomalies,
}

impl Column {
    pub(super) const EVERY: [Self; 5] = [Self::Id, Self::State, Self::LastSeen, Self::Version, Self::Anomalies];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::State => "state",
            Self::LastSeen => "last_seen",
            Self::Version => "version",
            Self::Anomalies => "anomalies",
        }
    }
}

/// An order: `last_seen` ascending, `-last_seen` descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) column: Column,
    pub(super) descending: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self { column: Column::Id, descending: false }
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.column.as_str())
    }
}

impl Order {
    fn parse(text: &str) -> Option<Self> {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let column = Column::EVERY.into_iter().find(|column| column.as_str() == name)?;
        Some(Self { column, descending })
    }

    /// What a click on the head of `column` asks for: the other way round if it is the present order.
    pub(super) fn after_click(self, column: Column) -> Self {
        Self { column, descending: self.column == column && !self.descending }
    }
}

/// The names of the cookies that remember the view and the order.
pub(super) const VIEW_COOKIE: &str = "fleet_view";
pub(super) const ORDER_COOKIE: &str = "fleet_order";

/// The view and order that the browser's cookies remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Remembered {
    view: Option<View>,
    order: Option<Order>,
}

impl Remembered {
    /// Reads a `Cookie` header.
    pub(super) fn parse(cookies: &str) -> Self {
        let value = |name| {
            cookies
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, v)| v)
        };
        Self { view: value(VIEW_COOKIE).and_then(View::parse), order: value(ORDER_COOKIE).and_then(Order::parse) }
    }
}

impl FleetQuery {
    /// Reads the query's parameters.
    pub(super) fn parse(parameters: &HashMap<String, String>) -> Self {
        let get = |name| parameters.get(name).map(|text| text.trim()).unwrap_or_default();
        Self {
            search: get("q").to_owned(),
            filter: Filter::EVERY.into_iter().find(|filter| filter.as_str() == get("state")).unwrap_or_default(),
            view: View::parse(get("view")),
            order: Order::parse(get("order")),
            page: get("page").parse().unwrap_or(1).max(1),
        }
    }

    /// The view to show a fleet of `devices` in.
    pub(super) fn view(&self, remembered: Remembered, devices: usize) -> View {
        let default = if devices > CARDS_UP_TO { View::Table } else { View::Cards };
        self.view.or(remembered.view).unwrap_or(default)
    }

    /// The order to show the devices in.
    pub(super) fn order(&self, remembered: Remembered) -> Order {
        self.order.or(remembered.order).unwrap_or_default()
    }

    /// The address of the fleet page with this query changed by `change`.
    pub(super) fn href(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut query = self.clone();
        change(&mut query);
        let mut pairs = Vec::new();
        if !query.search.is_empty() {
            pairs.push(format!("q={}", percent_encode(&query.search)));
        }
        if query.filter != Filter::All {
            pairs.push(format!("state={}", query.filter.as_str()));
        }
        pairs.extend(query.view.map(|view| format!("view={}", view.as_str())));
        pairs.extend(query.order.map(|order| format!("order={order}")));
        if query.page > 1 {
            pairs.push(format!("page={}", query.page));
        }
        if pairs.is_empty() { "/".to_owned() } else { format!("/?{}", pairs.join("&")) }
    }
}

/// Encodes everything but RFC 3986's unreserved characters.
fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> FleetQuery {
        FleetQuery::parse(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_query_wins_over_what_is_remembered_and_that_over_the_default() {
        let nothing = Remembered::default();
        let remembered = Remembered::parse("a=b; fleet_view=table;fleet_order=-version");
        assert_eq!(query(&[]).view(nothing, CARDS_UP_TO), View::Cards);
        assert_eq!(query(&[]).view(nothing, CARDS_UP_TO + 1), View::Table);
        assert_eq!(query(&[]).view(remembered, 1), View::Table);
        assert_eq!(query(&[("view", "cards")]).view(remembered, 1), View::Cards);
        assert_eq!(query(&[]).order(remembered), Order { column: Column::Version, descending: true });
        assert_eq!(query(&[("order", "id")]).order(remembered), Order::default());
    }

    #[test]
    fn what_is_unreadable_is_the_default() {
        let odd = query(&[("state", "asleep"), ("view", "list"), ("order", "-"), ("page", "-3"), ("q", "  ")]);
        assert_eq!(odd, query(&[]));
    }

    #[test]
    fn an_address_keeps_what_it_does_not_change() {
        let given = query(&[("q", "a&b é"), ("state", "offline"), ("order", "-last_seen"), ("page", "3")]);
        assert_eq!(given.href(|_| ()), "/?q=a%26b%20%C3%A9&state=offline&order=-last_seen&page=3");
        assert_eq!(given.href(|q| *q = FleetQuery::default()), "/");
    }

    #[test]
    fn a_second_click_on_a_column_turns_the_order_round() {
        let order = Order::default().after_click(Column::Version);
        assert_eq!(order.to_string(), "version");
        assert_eq!(order.after_click(Column::Version).to_string(), "-version");
    }
}
