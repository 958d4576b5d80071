//! The codes of 1.0 (returned-results page, 53414; public error codes, 3060193).

use crate::{
    error::RefusalSubject,
    green::{codes::Codes, retry::Class},
};

pub(super) static CODES: Codes = Codes { class, subject };

const fn subject(code: u16) -> RefusalSubject {
    match code {
        403 | 404 | 480 | 592 => RefusalSubject::Download,
        // A bad parameter or a bad image.
        400 | 401 | 589 | 590 => RefusalSubject::Image,
        _ => RefusalSubject::Request,
    }
}

const fn class(code: u16) -> Class {
    match code {
        // EXCEED_QUOTA, and what HTTP says of the same.
        588 | 429 => Class::Throttled(None),
        // DOWNLOAD_FAILED, ALGO_FAILED, MQ_FAILED, DOWNLOAD_TIMEOUT.
        480 | 586 | 587 | 592 => Class::Once,
        // TOO_LARGE, BAD_FORMAT, EXPIRED, the failed capture of a frame, PERMISSION_DENY.
        589 | 590 | 594..=596 => Class::Never,
        // GENERAL_ERROR, ServiceUnavailable, DB_FAILED, TIMEOUT, CACHE_FAILED,
        // CONNECTION_POOL_FULL, and what else the service says of itself.
        500..=599 => Class::Temporary,
        _ => Class::Never,
    }
}
