//! The codes of 2.0 (pages on `ImageAsyncModeration`, 2669854, and `DescribeImageModerationResult`,
//! 2669855). Several have other meanings in 1.0.

use crate::{
    error::RefusalSubject,
    green::{codes::Codes, retry::Class},
};

/// The task is not done yet.
pub(super) const PROCESSING: u16 = 280;
/// The id is unknown: it was polled too early, or its result is no longer kept.
pub(super) const UNKNOWN: u16 = 409;

pub(super) static CODES: Codes = Codes { class, subject };

const fn subject(code: u16) -> RefusalSubject {
    match code {
        404 | 405 => RefusalSubject::Download,
        // A bad parameter or a bad image.
        400..=402 | 406 | 407 => RefusalSubject::Image,
        // 408 (not activated, in arrears, no rights) is of the account.
        _ => RefusalSubject::Request,
    }
}

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
