//! The error type of the crate. A defect of an image is a [`Violation`](crate::Violation), not an
//! error.

mod unknown_name;

use std::{error::Error as StdError, fmt, time::Duration};

pub use unknown_name::UnknownName;
pub(crate) use unknown_name::{from_name, serde_name};

use crate::{
    ids::{DataId, InvalidId, RequestId},
    sanitize::harmless,
};

/// The kind of an [`Error`].
///
/// ```
/// use greenlight::{Error, ErrorKind};
///
/// /// Returns the exit code of a program that submits images.
/// fn exit_code(error: &Error) -> u8 {
///     match error.kind() {
///         ErrorKind::Usage | ErrorKind::Credentials => 2, // another run fails too
///         ErrorKind::Network | ErrorKind::Throttled | ErrorKind::Service => 75, // try later
///         _ => 1,
///     }
/// }
///
/// assert_eq!(exit_code(&Error::new(ErrorKind::Throttled, "submit: too many requests")), 75);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Invalid argument: a value outside its documented range. To fix: correct the call.
    Usage,
    /// The content of an image changed after it was accepted. To fix: check it again.
    Changed,
    /// Missing or unusable credentials. To fix: set them.
    Credentials,
    /// A local file, a socket or a store failed. To fix: see the source.
    Io,
    /// The service could not be reached or did not respond in time. To fix: check the network and
    /// the endpoint.
    Network,
    /// The service throttled the request. To fix: lower the rate, or request a higher quota.
    Throttled,
    /// The service rejected the request. To fix: see its code and message.
    Refused,
    /// The service reported an internal error. To fix: try again later.
    Service,
    /// The response is not what the service documents (HTML, truncated, not JSON). To fix: check
    /// the endpoint and proxies.
    Answer,
    /// This crate failed on one image: a bug. To fix: report it, with the image.
    Internal,
}

impl ErrorKind {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Changed => "changed",
            Self::Credentials => "credentials",
            Self::Io => "io",
            Self::Network => "network",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Service => "service",
            Self::Answer => "answer",
            Self::Internal => "internal",
        }
    }
}

/// Whether the same call may be repeated.
///
/// ```
/// use std::time::Duration;
/// use greenlight::{Error, ErrorKind, Retry};
///
/// /// Returns the delay before the call is repeated, unless that could be billed twice.
/// fn delay(error: &Error) -> Option<Duration> {
///     match error.retry() {
///         Retry::After(delay) => Some(delay),
///         Retry::Ambiguous | Retry::Never | _ => None,
///     }
/// }
///
/// let lost = Error::new(ErrorKind::Network, "submit: no response").with_retry(Retry::Ambiguous);
/// assert_eq!(delay(&lost), None);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The call may be repeated after this delay.
    After(Duration),
    /// The request was sent without a response, so it may have been executed. Repeating a
    /// submission may be billed again.
    Ambiguous,
    /// The call would fail again.
    Never,
}

/// The subject of a refusal of the service.
///
/// ```
/// use greenlight::{Error, ErrorKind, RefusalSubject};
///
/// let refusal = Error::new(ErrorKind::Refused, "scan: the image could not be downloaded")
///     .with_subject(RefusalSubject::Download);
/// match refusal.subject() {
///     RefusalSubject::Download => println!("upload the image instead of passing its URL"),
///     RefusalSubject::Image => println!("continue with the other images"),
///     _ => println!("stop: other images would be refused too"),
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum RefusalSubject {
    /// The request or the account: requests for other images may be refused too. Also the subject
    /// of errors that are not refusals.
    #[default]
    Request,
    /// One image, or one uploaded object: other images may be accepted.
    Image,
    /// The service's download of one image: the image may be accepted once it is uploaded.
    Download,
}

/// The error of a failed operation.
///
/// `Display` is one complete line: the operation, the service's code and message, and the request
/// id. The cause is in [`source`](StdError::source) and not repeated in `Display`;
/// [`report`](Self::report) returns both. The type of the source is not part of the API.
///
/// ```
/// use greenlight::{Error, ErrorKind, Retry, TaskId};
///
/// let error = Error::from(TaskId::parse("not a task id").unwrap_err());
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// assert_eq!(error.retry(), Retry::Never);
/// assert_eq!(error.report(), "not a task id: not a task id");
/// ```
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: String,
    service: Option<ServiceReply>,
    /// A remedy, or further information.
    hint: Option<String>,
    attempts: u32,
    data_ids: Vec<DataId>,
    http_status: Option<u16>,
    subject: RefusalSubject,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The error reported in the service's response.
#[derive(Clone, Debug, Default)]
struct ServiceReply {
    code: String,
    message: String,
    request_id: Option<RequestId>,
}

impl Error {
    /// Creates an error, for implementations of the crate's traits. Its retry advice is
    /// [`Retry::Never`] by default.
    ///
    /// `message` is one line in lower case without a full stop, `what failed: cause`, and must be
    /// safe to print. It must not repeat the message of the source.
    ///
    /// ```
    /// use std::{io, time::Duration};
    /// use greenlight::{Error, ErrorKind, Retry};
    ///
    /// let cause = io::Error::from(io::ErrorKind::ConnectionReset);
    /// let error = Error::new(ErrorKind::Io, "claim images: the connection to the store was lost")
    ///     .with_source(cause)
    ///     .with_retry(Retry::After(Duration::from_secs(1)));
    /// assert_eq!(
    ///     error.report(),
    ///     "claim images: the connection to the store was lost: connection reset",
    /// );
    /// ```
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self {
            inner: Box::new(Inner {
                kind,
                retry: Retry::Never,
                message,
                service: None,
                hint: None,
                attempts: 0,
                data_ids: Vec::new(),
                http_status: None,
                subject: RefusalSubject::Request,
                source: None,
            }),
        }
    }

    /// Adds the cause, which [`source`](StdError::source) returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Sets whether the same call may be repeated.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.inner.retry = retry;
        self
    }

    /// Sets what a refusal is about.
    #[must_use]
    pub fn with_subject(mut self, subject: RefusalSubject) -> Self {
        self.inner.subject = subject;
        self
    }
}

#[cfg_attr(
    not(any(feature = "client", feature = "cli")),
    expect(dead_code, reason = "only the client fills these in")
)]
impl Error {
    /// Adds the error of the service's response, sanitized.
    pub(crate) fn with_reply(
        mut self,
        code: &str,
        message: &str,
        request_id: Option<&str>,
    ) -> Self {
        self.inner.service = Some(ServiceReply {
            code: harmless(code, 64),
            message: harmless(message, 400),
            request_id: request_id.map(RequestId::new),
        });
        self
    }

    pub(crate) fn with_http_status(mut self, status: u16) -> Self {
        self.inner.http_status = Some(status);
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl fmt::Display) -> Self {
        self.inner.hint = Some(hint.to_string());
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.inner.attempts = attempts;
        self
    }

    pub(crate) fn with_data_ids(mut self, data_ids: Vec<DataId>) -> Self {
        self.inner.data_ids = data_ids;
        self
    }
}

impl Error {
    /// Returns the kind of the error.
    pub const fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns whether the same call may be repeated.
    pub const fn retry(&self) -> Retry {
        self.inner.retry
    }

    /// Returns the service's code, if it responded: `588`, `SignatureDoesNotMatch`.
    pub fn service_code(&self) -> Option<&str> {
        self.inner.service.as_ref().map(|reply| reply.code.as_str())
    }

    /// Returns the HTTP status of the response, if one arrived.
    pub const fn http_status(&self) -> Option<u16> {
        self.inner.http_status
    }

    /// Returns what the refusal is about.
    pub const fn subject(&self) -> RefusalSubject {
        self.inner.subject
    }

    /// Returns the service's message, if it responded.
    pub fn service_message(&self) -> Option<&str> {
        self.inner
            .service
            .as_ref()
            .map(|reply| reply.message.as_str())
    }

    /// Returns the service's id of the request, to quote to its support.
    pub fn request_id(&self) -> Option<&RequestId> {
        let service = self.inner.service.as_ref();
        service.and_then(|reply| reply.request_id.as_ref())
    }

    /// Returns how many requests were made or attempted for the call; 0 if unknown.
    pub const fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// Returns the `dataId`s of a submission that may have been executed ([`Retry::Ambiguous`]).
    /// Match callbacks with them; submitting the images again may be billed again.
    pub fn data_ids(&self) -> &[DataId] {
        &self.inner.data_ids
    }

    /// Returns the error and its causes in one line.
    pub fn report(&self) -> String {
        let mut report = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            report.push_str(": ");
            report.push_str(&error.to_string());
            cause = error.source();
        }
        report
    }
}

impl From<InvalidId> for Error {
    fn from(invalid: InvalidId) -> Self {
        Self::new(ErrorKind::Usage, invalid)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        if let Some(reply) = &self.inner.service {
            write!(f, ": {}", reply.code)?;
            if !reply.message.is_empty() {
                write!(f, " {}", reply.message)?;
            }
            if let Some(id) = &reply.request_id {
                write!(f, " (request {id})")?;
            }
        }
        if let Some(hint) = &self.inner.hint {
            write!(f, "; {hint}")?;
        }
        if self.inner.attempts > 1 {
            write!(f, "; tried {} times", self.inner.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .source
            .as_ref()
            .map(|source| -> &(dyn StdError + 'static) { source.as_ref() })
    }
}
