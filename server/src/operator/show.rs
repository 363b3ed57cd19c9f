//! How answers are shown: as a table for people, or as the API's JSON for programs.

use crate::cli::Output;
use crate::time::Time;
use comfy_table::{Table, presets};
use serde::Serialize;

/// Shows an answer; `table` makes what people see of it.
pub(super) fn show<T: Serialize>(output: Output, answer: &T, table: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
    match output {
        Output::Json => println!("{}", serde_json::to_string_pretty(answer)?),
        Output::Table => println!("{}", table(answer)),
    }
    Ok(())
}

/// A table without lines, of these rows; `none` where there are no rows.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    none: &str,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.map(str::to_uppercase));
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return none.to_owned();
    }
    table.add_rows(rows);
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Names and values, one a line.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let lines: Vec<String> = facts.iter().map(|(name, value)| format!("{name:<width$}  {value}")).collect();
    lines.join("\n")
}

/// A point in time to the second, in UTC.
pub(super) fn time(time: impl Into<Option<Time>>) -> String {
    let text = time.into().map(Time::to_rfc3339);
    text.map_or_else(|| "-".to_owned(), |text| format!("{} UTC", text[..19].replace('T', " ")))
}

/// A text, or a dash.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_lines_and_no_trailing_spaces() {
        let rows = [["1".to_owned(), "é".to_owned()], ["22".to_owned(), String::new()]];
        assert_eq!(table(["id", "name"], rows, "none"), " ID  NAME\n 1   é\n 22");
        assert_eq!(table::<1>(["id"], [], "No devices yet."), "No devices yet.");
        assert_eq!(facts(&[("id", "1".to_owned()), ("version", "2".to_owned())]), "id       1\nversion  2");
        assert_eq!((time(Time::from_micros(0)), time(None)), ("1970-01-01 00:00:00 UTC".to_owned(), "-".to_owned()));
    }
}
