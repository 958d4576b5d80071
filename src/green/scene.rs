//! The service's open sets of words: scenes, suggestions and risk levels.

pub(super) use crate::scene::Scene;
use crate::scene::open_set;

/// The service's advice for one scene. The set is open.
///
/// ```
/// use greenlight::green::{OutcomeDecision, Suggestion, callback};
///
/// // A word that this version does not know is kept, and is not taken for a pass.
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "t", "results": [{"scene": "porn", "suggestion": "wait"}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// assert_eq!(outcome.results()[0].suggestion(), &Suggestion::Other("wait".to_owned()));
/// assert_eq!(outcome.decision(), OutcomeDecision::Undecided);
/// # Ok::<(), greenlight::Error>(())
/// ```
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
///
/// ```
/// use greenlight::green::{OutcomeDecision, RiskLevel, callback};
///
/// let report = callback::parse(br#"{"ReqId": "t", "RiskLevel": "low", "Result": []}"#)?;
/// let outcome = report.outcome().expect("the task is done");
/// assert_eq!(outcome.results()[0].risk_level(), Some(&RiskLevel::Low));
/// assert_eq!(outcome.decision(), OutcomeDecision::Review); // only `none` is a pass
/// # Ok::<(), greenlight::Error>(())
/// ```
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

open_set!(Suggestion, "suggestion");
open_set!(RiskLevel, "risk level");
