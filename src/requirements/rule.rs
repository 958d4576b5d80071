//! The rules that can be enforced or not.

use std::{fmt, str::FromStr};

use crate::{
    error::{UnknownName, serde_name},
    format::DefectKind,
    verdict::Code,
};

/// A rule whose [`Enforcement`](crate::verdict::Enforcement) can be set: the code of a violation,
/// or one kind of defect.
///
/// ```
/// use greenlight::{Code, DefectKind, Rule};
///
/// assert_eq!("image/too-small".parse(), Ok(Rule::Code(Code::ImageTooSmall)));
/// assert_eq!("any/truncated".parse(), Ok(Rule::Defect(DefectKind::Truncated)));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Every violation of a code.
    Code(Code),
    /// The violation that a kind of defect becomes.
    Defect(DefectKind),
}

impl Rule {
    /// The name of the code or of the kind. No code has the name of a kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code(code) => code.name(),
            Self::Defect(kind) => kind.name(),
        }
    }

    /// Whether the rule always rejects: a text that is not an http or https URL cannot be downloaded,
    /// and a path outside the allowed folders is not opened.
    ///
    /// ```
    /// use greenlight::{Code, Enforcement, Requirements, Rule};
    ///
    /// assert!(Rule::Code(Code::UrlScheme).is_fixed());
    /// let unchanged = Requirements::ASYNC.with_enforcement(Code::UrlScheme, Enforcement::Off);
    /// assert_eq!(unchanged.enforcement(Code::UrlScheme), Enforcement::Reject);
    /// ```
    pub const fn is_fixed(self) -> bool {
        matches!(
            self,
            Self::Code(Code::UrlMalformed | Code::UrlScheme | Code::FileOutside)
        )
    }

    /// Every rule: the codes, then the kinds of defects.
    pub fn all() -> impl Iterator<Item = Self> {
        let codes = Code::ALL.iter().copied().map(Self::Code);
        codes.chain(DefectKind::ALL.iter().copied().map(Self::Defect))
    }
}

impl From<Code> for Rule {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

impl From<DefectKind> for Rule {
    fn from(kind: DefectKind) -> Self {
        Self::Defect(kind)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Rule {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all().find(|rule| rule.name() == text).ok_or_else(|| {
            UnknownName::new("code or defect kind", text, Self::all().map(Self::name))
        })
    }
}

serde_name!(Rule);
