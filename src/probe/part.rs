//! The range that a 206 states (RFC 9110, 14.4).

use http::{StatusCode, header};

use super::{
    fetch::{Fetched, Window},
    read,
};

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) total: Option<u64>,
}

impl Part {
    /// The part of the file that a 206 holds, if it is one that was asked for.
    pub(super) fn requested(answer: &Fetched, asked: Window) -> Option<Self> {
        let part = Self::stated(answer)?;
        let len = part.last.checked_sub(part.first)?.checked_add(1)?;
        let fits = part.first == asked.first
            && part.last <= asked.last
            && part.total.is_none_or(|total| part.last < total)
            // A part that ends before the window does ends with the file.
            && (part.last == asked.last || part.total.is_none_or(|total| part.last + 1 == total))
            && read::framed_len(answer).is_none_or(|framed| framed == len);
        fits.then_some(part)
    }

    /// The part that the only Content-Range states.
    fn stated(answer: &Fetched) -> Option<Self> {
        let mut ranges = answer.head.headers.get_all(header::CONTENT_RANGE).iter();
        let range = ranges.next()?.to_str().ok()?;
        match ranges.next() {
            Some(_) => None,
            None => parse(range),
        }
    }

    fn is_all(self) -> bool {
        self.first == 0
            && self
                .total
                .is_none_or(|total| self.last.checked_add(1) == Some(total))
    }
}

/// Whether a response to a request without a range holds the file. So does a 206 that says so:
/// clients read its body like that of a 200.
pub(super) fn is_file(answer: &Fetched) -> bool {
    let status = answer.head.status;
    read::is_whole(status)
        || status == StatusCode::PARTIAL_CONTENT && Part::stated(answer).is_some_and(Part::is_all)
}

/// The same in full mode, which reads the body to its end and sees whether a 206 that does not say
/// what it holds is truncated.
pub(super) fn may_be_file(answer: &Fetched) -> bool {
    let is_unstated =
        answer.head.status == StatusCode::PARTIAL_CONTENT && Part::stated(answer).is_none();
    is_unstated || is_file(answer)
}

/// `bytes 0-65535/2650000` or `bytes 0-65535/*` (RFC 9110, 14.4).
fn parse(text: &str) -> Option<Part> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    Some(Part {
        first: decimal(first)?,
        last: decimal(last)?,
        total: match total.trim() {
            "*" => None,
            total => Some(decimal(total)?),
        },
    })
}

fn decimal(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes()
        // `parse` alone accepts a plus sign.
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}
