//! The service's codes and their documented words (returned-results page, 53414).

/// A code and its message, in the envelope of an answer or in one of its elements.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) code: i64,
    pub(super) message: String,
}

impl Status {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, format!("BAD_REQUEST: {}", message.into()))
    }

    /// A code of 2.0 with its documented meaning (pages 2669854 and 2669855).
    pub(super) fn of_v2(code: i64) -> Self {
        let word = match code {
            200 => "OK",
            280 => "the task is being processed",
            400 => "a parameter is empty",
            401 => "a parameter is not valid",
            402 => "a parameter has an invalid length",
            403 => "the requests exceed the QPS limit",
            404 => "the image could not be downloaded",
            405 => "the download of the image timed out",
            406 => "the image is too large",
            407 => "the format of the image is not supported",
            408 => "the account has no permission to call this operation",
            409 => "the ReqId does not exist",
            500 => "a system exception occurred",
            _ => "error",
        };
        Self::new(code, word)
    }

    /// A code with its documented word.
    pub(super) fn of(code: i64) -> Self {
        let word = match code {
            200 => "OK",
            280 => "PROCESSING",
            400 => "BAD_REQUEST",
            401 => "NOT_ALLOWED",
            403 => "FORBIDDEN",
            404 => "NOT_FOUND",
            480 => "DOWNLOAD_FAILED",
            500 => "GENERAL_ERROR",
            580 => "DB_FAILED",
            581 => "TIMEOUT",
            585 => "CACHE_FAILED",
            586 => "ALGO_FAILED",
            587 => "MQ_FAILED",
            588 => "EXCEED_QUOTA",
            589 => "TOO_LARGE",
            590 => "BAD_FORMAT",
            591 => "CONNECTION_POOL_FULL",
            592 => "DOWNLOAD_TIMEOUT",
            594 => "EXPIRED",
            596 => "PERMISSION_DENY",
            _ => "ERROR",
        };
        Self::new(code, word)
    }
}
