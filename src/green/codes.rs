//! The meaning of the numeric codes in a response. Each API has a table of its own: the same number
//! means different things in the two.

use super::retry::Class;
use crate::error::RefusalSubject;

/// The codes of one API.
#[derive(Debug)]
pub(super) struct Codes {
    /// The class of a code.
    pub(super) class: fn(u16) -> Class,
    /// The subject of a refused submission with this code. A bad parameter, an unreachable URL, a
    /// bad or too large file are of single images, even if the whole request is refused for them.
    pub(super) subject: fn(u16) -> RefusalSubject,
}
