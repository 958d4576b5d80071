//! Names of things at the service. New ones are made here, the one place where the client draws
//! random values that must not repeat.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, harmless};

/// The caller's name for an image, which the service repeats in every answer.
///
/// Letters, digits, `_`, `-` and `.`, at most 128 of them (asynchronous moderation page, 2021).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DataId(String);

impl DataId {
    /// Takes a name of the caller's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a text that is not `[A-Za-z0-9_.-]{1,128}`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fits = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(
            ErrorKind::Usage,
            format!(
                "not a dataId (letters, digits, `_`, `-` and `.`, at most 128): {}",
                harmless(text, 80)
            ),
        ))
    }

    /// Makes a new name: a random UUID (RFC 9562, version 4).
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The name as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The service's name for a task, by which its results are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TaskId(String);

impl TaskId {
    /// Takes a task id that was kept elsewhere.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an empty text, one of more than 256 bytes, or one with characters
    /// that do not print as ASCII.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(
            ErrorKind::Usage,
            format!("not a task id: {}", harmless(text, 80)),
        ))
    }

    /// The id as the service wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The service's name for one request, to be given to its support.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    pub(crate) fn new(text: &str) -> Self {
        Self(harmless(text, 128))
    }

    /// The id as the service wrote it, made harmless to print.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value for `x-acs-signature-nonce`: new for every attempt.
#[derive(Clone, Debug)]
pub(crate) struct Nonce(String);

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
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }

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
