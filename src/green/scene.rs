//! The service's open sets of words: scenes, suggestions and risk levels.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind};

/// What an image is scanned for. Every scene of every image is billed.
///
/// The set is open: a scene that is not known here is kept as it is written. Source: asynchronous
/// moderation page (2026-03).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scene {
    /// `ad`: advertising and text violations.
    Ad,
    /// `live`: undesirable scenes of live streams.
    Live,
    /// `logo`: logos of television stations and trademarks.
    Logo,
    /// `porn`: pornography.
    Porn,
    /// `qrcode`: QR codes and mini-program codes.
    Qrcode,
    /// `terrorism`: terrorism and politics.
    Terrorism,
    /// Any other.
    Other(String),
}

impl Scene {
    /// The service's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ad => "ad",
            Self::Live => "live",
            Self::Logo => "logo",
            Self::Porn => "porn",
            Self::Qrcode => "qrcode",
            Self::Terrorism => "terrorism",
            Self::Other(name) => name,
        }
    }

    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "ad" => Self::Ad,
            "live" => Self::Live,
            "logo" => Self::Logo,
            "porn" => Self::Porn,
            "qrcode" => Self::Qrcode,
            "terrorism" => Self::Terrorism,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// What the service advises for one scene. The set is open.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Suggestion {
    /// `pass`: nothing found.
    Pass,
    /// `review`: a person should look.
    Review,
    /// `block`: do not publish.
    Block,
    /// Any other, which is never taken for a pass.
    Other(String),
}

impl Suggestion {
    /// The service's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pass => "pass",
            Self::Review => "review",
            Self::Block => "block",
            Self::Other(name) => name,
        }
    }

    pub(crate) fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "pass" => Self::Pass,
            "review" => Self::Review,
            "block" => Self::Block,
            _ => Self::Other(word.to_owned()),
        }
    }
}

/// The risk level that 2.0 returns for an image. The set is open.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RiskLevel {
    /// `high`: taken for block.
    High,
    /// `medium`: taken for review.
    Medium,
    /// `low`: taken for review.
    Low,
    /// `none`: taken for pass.
    None,
    /// Any other or none at all, which is taken for review.
    Other(String),
}

impl RiskLevel {
    /// The service's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::None => "none",
            Self::Other(name) => name,
        }
    }

    pub(crate) fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "high" => Self::High,
            "medium" => Self::Medium,
            "low" => Self::Low,
            "none" => Self::None,
            _ => Self::Other(word.to_owned()),
        }
    }
}

/// A word that may be sent: `[A-Za-z0-9_-]{1,64}`.
fn check_word(what: &str, word: &str) -> Result<(), Error> {
    let fits = (1..=64).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fits {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!(
            "not a {what} (letters, digits, `_` and `-`, at most 64): {}",
            crate::sanitize::harmless(word, 80)
        ),
    ))
}

macro_rules! open_set {
    ($type:ident, $what:literal) => {
        impl FromStr for $type {
            type Err = Error;

            /// Parses the service's word; one that is not known here is kept.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Usage`] for a text that cannot be one of the service's words.
            fn from_str(word: &str) -> Result<Self, Error> {
                check_word($what, word)?;
                Ok(Self::from_word(word))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(|word| Self::from_word(&word))
            }
        }
    };
}

open_set!(Scene, "scene");
open_set!(Suggestion, "suggestion");
open_set!(RiskLevel, "risk level");
