//! The codes of 2.0 (pages on `ImageAsyncModeration`, 2669854, and `DescribeImageModerationResult`,
//! 2669855). Several have other meanings in 1.0.

use crate::green::{codes::Codes, retry::Class};

/// The task is not done yet.
pub(super) const PROCESSING: u16 = 280;
/// The id is unknown: it was polled too early, or its result is no longer kept.
pub(super) const UNKNOWN: u16 = 409;

pub(super) static CODES: Codes = Codes {
    class,
    // A bad parameter or a bad image. 408 (not activated, in arrears, no rights) is of the account.
    is_about_content: |code| matches!(code, 400..=402 | 404..=407),
    is_about_download: |code| matches!(code, 404 | 405),
};

const fn class(code: u16) -> Class {
    match code {
        // Over the limit of requests per second, and what HTTP says of the same.
        403 | 429 => Class::Throttled(None),
        // The download failed, or took too long.
        404 | 405 => Class::Once,
        500..=599 => Class::Temporary,
        // 400 to 402: a parameter; 406, 407: size and format; 408: rights.
        _ => Class::Never,
    }
}

/// Whether a poll with this code says what became of the task. 403, 408 and 500 are of the request.
pub(super) const fn is_result(code: u16) -> bool {
    matches!(code, 200 | PROCESSING | 404..=407 | UNKNOWN)
}
