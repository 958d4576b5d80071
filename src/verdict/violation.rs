//! One requirement that is not met.

use std::fmt;

use super::Code;
use crate::error::{from_name, serde_name};

/// The severity of a violation.
///
/// ```
/// use greenlight::{Code, Inspection, Requirements, Severity};
///
/// let file = std::fs::read("fixtures/images/png/archive-appended.png")?;
/// let verdict = Requirements::ASYNC.judge(Inspection::of(&file));
/// let warnings: Vec<_> = verdict.summary().codes(Severity::Warn).collect();
/// assert_eq!(warnings, [Code::ImageTrailingBytes]);
/// assert!(verdict.is_accepted());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Severity {
    /// It is worth knowing, and does not stop the image.
    Warn,
    /// It stops the image.
    Reject,
}

impl Severity {
    /// `warn`, `reject`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Reject => "reject",
        }
    }
}

/// The reaction to a broken rule.
///
/// ```
/// use greenlight::{Code, Enforcement, Requirements};
///
/// let strict = Requirements::ASYNC.with_enforcement(Code::ImageTypeMismatch, Enforcement::Reject);
/// assert_eq!(strict.enforcement(Code::ImageTypeMismatch), Enforcement::Reject);
/// assert_eq!("warn".parse(), Ok(Enforcement::Warn));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Enforcement {
    /// Nothing: the rule is switched off.
    Off,
    /// A violation of [`Severity::Warn`].
    Warn,
    /// A violation of [`Severity::Reject`].
    Reject,
}

impl Enforcement {
    /// Every enforcement, the lightest first.
    pub const ALL: &'static [Self] = &[Self::Off, Self::Warn, Self::Reject];

    /// The stable name: `off`, `warn`, `reject`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Reject => "reject",
        }
    }

    pub(crate) const fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Warn => Some(Severity::Warn),
            Self::Reject => Some(Severity::Reject),
        }
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

from_name!(Enforcement, "enforcement");
serde_name!(Enforcement);

/// A measured value or the limit that it is compared with.
///
/// ```
/// use greenlight::{Inspection, Measure, Requirements};
///
/// let requirements = Requirements::ASYNC.with_max_bytes(100);
/// let file = std::fs::read("fixtures/images/png/rgb.png")?;
/// let verdict = requirements.judge(Inspection::of(&file));
/// let violation = &verdict.violations()[0];
/// assert_eq!(violation.limit(), Some(&Measure::Number(100)));
/// assert_eq!(violation.measured(), Some(&Measure::from(file.len() as u64)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(untagged)
)]
pub enum Measure {
    /// A number, in the unit that the code implies: bytes, pixels, characters, milliseconds.
    Number(u64),
    /// A short text: `120x80`, `png/crc at byte 33`.
    Text(String),
}

impl From<u64> for Measure {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Measure {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Measure {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A requirement that is not met. `Display` is its message.
///
/// ```
/// use greenlight::{Code, Inspection, Measure, Requirements, Severity};
///
/// let small = b"GIF89a\x78\x00\x50\x00\x00\x00\x00;"; // 120x80
/// let verdict = Requirements::ASYNC.judge(Inspection::of(small));
/// let violation = &verdict.violations()[0];
/// assert_eq!(violation.code(), Code::ImageTooSmall);
/// assert_eq!(violation.severity(), Severity::Reject);
/// assert_eq!(violation.measured(), Some(&Measure::Text("120x80".to_owned())));
/// assert_eq!(violation.limit(), Some(&Measure::Text("256x256".to_owned())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Violation {
    code: Code,
    severity: Severity,
    message: String,
    measured: Option<Measure>,
    limit: Option<Measure>,
}

impl Violation {
    pub(crate) const fn new(
        code: Code,
        severity: Severity,
        message: String,
        measured: Option<Measure>,
        limit: Option<Measure>,
    ) -> Self {
        Self {
            code,
            severity,
            message,
            measured,
            limit,
        }
    }

    /// The stable code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Whether it stops the image.
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    pub(crate) const fn code_and_severity(&self) -> (Code, Severity) {
        (self.code, self.severity)
    }

    /// One line that says what is wrong and what to do. Not stable: match on the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The measured value, if there is one.
    pub const fn measured(&self) -> Option<&Measure> {
        self.measured.as_ref()
    }

    /// The limit that it was compared with, if there is one.
    pub const fn limit(&self) -> Option<&Measure> {
        self.limit.as_ref()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
