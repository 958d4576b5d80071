//! How much a run measures, and where its results are written.

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scale {
    /// Shows that all benchmarks run. The values mean nothing.
    Once,
    Quick,
    Full,
    Long,
}

impl Scale {
    /// The scale that `GREENLIGHT_BENCH` names.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "" | "full" => Ok(Self::Full),
            "once" => Ok(Self::Once),
            "quick" => Ok(Self::Quick),
            "long" => Ok(Self::Long),
            other => Err(format!(
                "GREENLIGHT_BENCH is `{other}`, not once, quick, full or long"
            )),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Quick => "quick",
            Self::Full => "full",
            Self::Long => "long",
        }
    }

    /// The file of the results in the target folder. Less exact results never replace exact ones.
    pub(crate) const fn file(self) -> Option<&'static str> {
        match self {
            Self::Once => None,
            Self::Quick => Some("bench/quick/suite.json"),
            Self::Full | Self::Long => Some("bench/suite.json"),
        }
    }
}
