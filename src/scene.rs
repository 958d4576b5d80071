//! The scenes of a scan, and the parts that the service's open sets of words have in common.

use crate::{
    error::{Error, ErrorKind},
    sanitize::harmless,
};

/// A category that an image is scanned for. Every scene of every image is billed.
///
/// The set is open: a scene that is not known here is kept as it is written. Source: asynchronous
/// moderation page (2026-03).
///
/// ```
/// use greenlight::Scene;
///
/// assert_eq!("porn".parse::<Scene>()?, Scene::Porn);
/// assert_eq!("vape".parse::<Scene>()?.as_str(), "vape");
/// # Ok::<(), greenlight::Error>(())
/// ```
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

/// Checks a word that may be sent: `[A-Za-z0-9_-]{1,64}`.
pub(crate) fn check_word(what: &str, word: &str) -> Result<(), Error> {
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
            harmless(word, 80)
        ),
    ))
}

/// Implements the conversions of an open set of words.
macro_rules! open_set {
    ($type:ident, $what:literal) => {
        impl std::str::FromStr for $type {
            type Err = crate::error::Error;

            /// Parses the service's word; one that is not known here is kept.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a text that cannot be one of the
            /// service's words.
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                crate::scene::check_word($what, word)?;
                Ok(Self::from_word(word))
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)
                    .map(|word| Self::from_word(&word))
            }
        }
    };
}

#[cfg(feature = "client")]
pub(crate) use open_set;

open_set!(Scene, "scene");
