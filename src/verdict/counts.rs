//! How many images have which code.

use std::collections::BTreeMap;

use super::{Code, Severity, Violation};

/// The number of images with a violation of each code: rejections and warnings separately, each
/// image once per code. An image that a code rejects is not counted under its warnings as well.
///
/// ```
/// use greenlight::{Code, CodeCounts, Inspection, Requirements};
///
/// let mut counts = CodeCounts::default();
/// let verdict = Requirements::ASYNC.judge(Inspection::of(b"GIF89a\x78\0\x50\0\0\0\0;"));
/// counts.add(verdict.violations());
/// assert_eq!(counts.rejecting()[&Code::ImageTooSmall], 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CodeCounts {
    rejecting: BTreeMap<Code, u64>,
    warnings: BTreeMap<Code, u64>,
}

impl CodeCounts {
    /// Returns the codes of one image's violations, each once, with the higher severity where a
    /// code occurs with both.
    pub fn worst<K: Ord>(
        violations: impl IntoIterator<Item = (K, Severity)>,
    ) -> BTreeMap<K, Severity> {
        let mut worst = BTreeMap::new();
        for (code, severity) in violations {
            let known = worst.entry(code).or_insert(severity);
            *known = severity.max(*known);
        }
        worst
    }

    /// Adds one image by its violations.
    pub fn add(&mut self, violations: &[Violation]) {
        self.add_set(CodeSet::of(violations));
    }

    pub(crate) fn add_set(&mut self, codes: CodeSet) {
        for code in Code::ALL {
            let counts = if codes.rejecting & bit(*code) != 0 {
                &mut self.rejecting
            } else if codes.warnings & bit(*code) != 0 {
                &mut self.warnings
            } else {
                continue;
            };
            let count: &mut u64 = counts.entry(*code).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Images that each code rejects.
    pub const fn rejecting(&self) -> &BTreeMap<Code, u64> {
        &self.rejecting
    }

    /// Images that each code only warns about.
    pub const fn warnings(&self) -> &BTreeMap<Code, u64> {
        &self.warnings
    }
}

/// The codes of one image, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CodeSet {
    rejecting: u64,
    warnings: u64,
}

const _: () = assert!(Code::COUNT <= 64, "a code is a bit of `CodeSet`");

const fn bit(code: Code) -> u64 {
    1 << code.index()
}

impl CodeSet {
    #[cfg(feature = "pipeline")]
    pub(crate) const EMPTY: Self = Self {
        rejecting: 0,
        warnings: 0,
    };

    pub(crate) fn of(violations: &[Violation]) -> Self {
        let mut codes = Self::default();
        for (code, severity) in violations.iter().map(Violation::code_and_severity) {
            match severity {
                Severity::Reject => codes.rejecting |= bit(code),
                Severity::Warn => codes.warnings |= bit(code),
            }
        }
        codes
    }

    #[cfg(feature = "pipeline")]
    pub(crate) const BYTES: usize = 16;

    #[cfg(feature = "pipeline")]
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let both = u128::from(self.rejecting) << 64 | u128::from(self.warnings);
        both.to_le_bytes()
    }

    #[cfg(feature = "pipeline")]
    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [warnings, rejecting] = [0, 64].map(|shift| {
            let half = u128::from_le_bytes(bytes) >> shift & u128::from(u64::MAX);
            u64::try_from(half).unwrap_or(u64::MAX)
        });
        Self {
            rejecting,
            warnings,
        }
    }
}
