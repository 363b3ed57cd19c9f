//! The newest log lines: of the whole system from its journal, or else this service's own.

use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The most lines that are sent.
const MAX_LINES: usize = 2_000;

/// The most bytes of lines that are sent; as JSON they may double. Stays within a message.
const MAX_BYTES: usize = 96 * 1024;

/// How long the journal may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// `{"source":"journal"|"uplink","lines":[…]}`, oldest first, the newest `count` as far as they fit.
pub(super) async fn collect(count: usize) -> Result<Value, String> {
    if count == 0 || count > MAX_LINES {
        return Err(format!("its payload: {count} lines: expected 1 to {MAX_LINES}"));
    }
    let (source, lines) = match journal(count).await {
        Some(lines) => ("journal", lines),
        None => ("uplink", microkernel_daemon::recent_log(count)),
    };
    Ok(json!({ "source": source, "lines": newest_within(&lines, MAX_BYTES) }))
}

/// `None` where there is no journal, or no right to read it.
async fn journal(count: usize) -> Option<Vec<String>> {
    let count = count.to_string();
    let run = Command::new("journalctl")
        .args(["--no-pager", "--quiet", "--output=short-iso", "--lines", &count])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DEADLINE, run).await.ok()?.ok()?;
    if !output.status.success() || output.stdout.is_empty() {
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).lines().map(without_controls).collect())
}

/// What other programs logged may hold anything.
fn without_controls(line: &str) -> String {
    line.chars().filter(|character| !character.is_control()).collect()
}

fn newest_within(lines: &[String], limit: usize) -> &[String] {
    let mut bytes = 0;
    let fitting = lines.iter().rev().take_while(|line| {
        bytes += line.len() + 1;
        bytes <= limit
    });
    &lines[lines.len() - fitting.count()..]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_when_not_all_fit() {
        let lines: Vec<String> = (0..10).map(|number| format!("line {number}")).collect();
        assert_eq!(newest_within(&lines, 14), &lines[8..]);
        assert_eq!(newest_within(&lines, 1000), &lines[..]);
        assert_eq!(newest_within(&lines, 3), &[] as &[String]);
    }

    #[tokio::test]
    async fn too_many_lines_are_refused() {
        let error = collect(MAX_LINES + 1).await.unwrap_err();
        assert!(error.contains("expected 1 to 2000"), "{error}");
    }
}
