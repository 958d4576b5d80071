//! The meaning of the numeric codes in a response. Each API has a table of its own: the same number
//! means different things in the two.

use super::retry::Class;

/// The codes of one API.
#[derive(Debug)]
pub(super) struct Codes {
    /// What a code allows.
    pub(super) class: fn(u16) -> Class,
    /// Whether a whole request was rejected for the content of single images, and not for what
    /// every request has: a bad parameter, an unreachable URL, a bad or too large file.
    pub(super) is_about_content: fn(u16) -> bool,
    /// Whether the service could not download the image.
    pub(super) is_about_download: fn(u16) -> bool,
}
