//! Lists in words.

/// Joins the words by commas, and the last one by `conjunction`.
pub(crate) fn listed(words: &[&str], conjunction: &str) -> String {
    let mut text = String::new();
    let mut rest = words;
    while let [word, after @ ..] = rest {
        if !text.is_empty() {
            text.push_str(if after.is_empty() { conjunction } else { ", " });
        }
        text.push_str(word);
        rest = after;
    }
    text
}
