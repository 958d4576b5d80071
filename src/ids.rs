//! The service's identifiers of tasks, images and requests. This is the only module of the client
//! that generates values that must not repeat.

use std::{fmt, str::FromStr};

#[cfg(feature = "serde")]
use serde::{Deserialize, Deserializer, Serialize};
#[cfg(feature = "client")]
use uuid::Uuid;

use crate::sanitize::harmless;

/// A text that cannot be an identifier: the error of [`DataId::parse`] and [`TaskId::parse`]. As an
/// [`Error`](crate::Error) it is of kind [`Usage`](crate::ErrorKind::Usage).
///
/// ```
/// use greenlight::{DataId, Error, ErrorKind};
///
/// /// Uses the number of a row as the service's `dataId`.
/// fn data_id(row: &str) -> Result<DataId, Error> {
///     Ok(DataId::parse(row)?) // `?` converts an `InvalidId`
/// }
///
/// assert_eq!(data_id("row 7").unwrap_err().kind(), ErrorKind::Usage);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(String);

/// The caller's identifier of an image, which the service repeats in every response.
///
/// Letters, digits, `_`, `-` and `.`, at most 128 of them (asynchronous moderation page, 2021).
///
/// ```
/// use greenlight::DataId;
///
/// assert_eq!(DataId::parse("photo-1")?.as_str(), "photo-1");
/// assert!(DataId::parse("photo 1").is_err());
/// # Ok::<(), greenlight::InvalidId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct DataId(String);

impl DataId {
    /// Parses a caller's identifier.
    ///
    /// # Errors
    ///
    /// Returns an error if the text does not match `[A-Za-z0-9_.-]{1,128}`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let fits = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidId(format!(
            "not a dataId (letters, digits, `_`, `-` and `.`, at most 128): {}",
            harmless(text, 80)
        )))
    }

    /// Generates a random UUID (RFC 9562, version 4).
    #[cfg(feature = "client")]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// Returns the identifier as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The service's identifier of a task, used to poll for its result.
///
/// ```
/// use greenlight::TaskId;
///
/// let stored = TaskId::parse("img4wlJcb7p4wH4lAP3111111-12aaaa")?;
/// assert_eq!(stored.to_string(), "img4wlJcb7p4wH4lAP3111111-12aaaa");
/// # Ok::<(), greenlight::InvalidId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct TaskId(String);

impl TaskId {
    /// Parses a task id that was stored elsewhere.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is empty, exceeds 256 bytes or contains characters
    /// other than printable ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidId(format!("not a task id: {}", harmless(text, 80))))
    }

    /// Returns the id as the service sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The service's identifier of one request, to quote to its support.
///
/// ```
/// use greenlight::RequestId;
///
/// let id = RequestId::new("7CDB07EF-6E1A-5F0E-9A3C-54D2C1A1E0B5");
/// println!("quote this to the support: {id}");
/// // The text of a server is safe to print.
/// assert_eq!(RequestId::new("7CDB\u{1b}[2J").as_str(), r"7CDB\u{1b}[2J");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(transparent))]
pub struct RequestId(String);

impl RequestId {
    /// Creates a request id from at most 128 characters of `text`, with control characters escaped.
    pub fn new(text: &str) -> Self {
        Self(harmless(text, 128))
    }

    /// Returns the id as the service sent it, safe to print.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value of `x-acs-signature-nonce`: unique to each attempt.
#[cfg(feature = "client")]
#[derive(Clone, Debug)]
pub(crate) struct Nonce(String);

#[cfg(feature = "client")]
impl Nonce {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! parsed_name {
    ($type:ident) => {
        impl FromStr for $type {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! displayed_name {
    ($($type:ident)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

parsed_name!(DataId);
parsed_name!(TaskId);
displayed_name!(DataId TaskId RequestId);
