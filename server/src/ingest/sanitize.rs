//! Texts that were not decoded by the wire contract, which refuses the character NUL, and texts that may be endless.

/// At most `limit` characters of a text, without NUL, which PostgreSQL can't hold (each is replaced by U+FFFD).
pub(super) fn text(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|character| if character == '\0' { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn nul_is_replaced_and_the_rest_is_cut() {
        assert_eq!(super::text("°C\0!", 3), "°C\u{fffd}");
    }
}
