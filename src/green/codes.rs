//! The meaning of the numeric codes in a response. Each API has a table of its own: the same number
//! means different things in the two.

use super::retry::Class;
use crate::error::RefusalSubject;

/// The codes of one API.
#[derive(Debug)]
pub(super) struct Codes {
    /// What a code allows.
    pub(super) class: fn(u16) -> Class,
    /// What a refusal of a submission with this code is about. A bad parameter, an unreachable URL, a
    /// bad or too large file are of single images, even if the whole request is refused for them.
    pub(super) subject: fn(u16) -> RefusalSubject,
}
