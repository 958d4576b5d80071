//! Results of a scan.

use serde::{Deserialize, Serialize};

use super::{
    detail::{Details, LibraryHit},
    scene::{RiskLevel, Scene, Suggestion},
};

/// The most severe suggestion of all scenes.
///
/// ```
/// use greenlight::green::{Outcome, OutcomeDecision};
///
/// /// Returns whether an image may be published without a look at it.
/// fn may_publish(outcome: &Outcome) -> bool {
///     match outcome.decision() {
///         OutcomeDecision::Pass => true,
///         OutcomeDecision::Review | OutcomeDecision::Block => false,
///         // A result is missing or unknown: not a pass.
///         OutcomeDecision::Undecided | _ => false,
///     }
/// }
///
/// assert_eq!(OutcomeDecision::Undecided.to_string(), "undecided"); // as stored and printed
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeDecision {
    /// Every scene passes, including every requested scene if the requested scenes are known.
    Pass,
    /// A scene suggests review, and none block.
    Review,
    /// A scene suggests block.
    Block,
    /// There is no result, a requested scene has none, or one is unknown; and none suggests review
    /// or block.
    Undecided,
}

impl OutcomeDecision {
    /// `pass`, `review`, `block`, `undecided`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Review => "review",
            Self::Block => "block",
            Self::Undecided => "undecided",
        }
    }

    /// Returns the most severe suggestion.
    pub(super) fn of(results: &[SceneResult]) -> Self {
        let says = |suggestion: &Suggestion| results.iter().any(|r| r.suggestion == *suggestion);
        if says(&Suggestion::Block) {
            Self::Block
        } else if says(&Suggestion::Review) {
            Self::Review
        // An unknown suggestion is not a pass, and neither is an empty list.
        } else if !results.is_empty() && results.iter().all(SceneResult::is_pass) {
            Self::Pass
        } else {
            Self::Undecided
        }
    }
}

impl std::fmt::Display for OutcomeDecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The result of scanning an image.
///
/// ```
/// use greenlight::{Scene, green::{OutcomeDecision, callback}};
///
/// let report = callback::parse(
///     br#"{"code":200,"taskId":"t","results":[{"scene":"porn","suggestion":"pass"}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// assert_eq!(outcome.decision(), OutcomeDecision::Pass);
/// // A second scene was requested, but has no result.
/// let outcome = outcome.clone().require_scenes(&[Scene::Porn, Scene::Terrorism]);
/// assert_eq!(outcome.decision(), OutcomeDecision::Undecided);
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub(super) decision: OutcomeDecision,
    pub(super) results: Vec<SceneResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stored_url: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) hit_libraries: Vec<LibraryHit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) extras: Option<String>,
}

impl Outcome {
    /// Downgrades a pass to [`Undecided`](OutcomeDecision::Undecided) unless each of these scenes
    /// has a result.
    ///
    /// A callback of 2.0 does not name its service: its result is taken for that of the only one.
    #[must_use]
    pub fn require_scenes(mut self, scenes: &[Scene]) -> Self {
        if let ([result], [scene]) = (self.results.as_mut_slice(), scenes)
            && result.risk_level.is_some()
            && result.scene.as_str().is_empty()
        {
            result.scene = scene.clone();
        }
        let has = |scene: &Scene| self.results.iter().any(|result| result.is_of(scene));
        if self.decision == OutcomeDecision::Pass && !scenes.iter().all(has) {
            self.decision = OutcomeDecision::Undecided;
        }
        self
    }

    /// The most severe suggestion of all scenes.
    pub const fn decision(&self) -> OutcomeDecision {
        self.decision
    }

    /// The results, one per scene (1.0) or service (2.0).
    pub fn results(&self) -> &[SceneResult] {
        &self.results
    }

    /// The URL of the stored evidence, for accounts that store it.
    pub fn stored_url(&self) -> Option<&str> {
        self.stored_url.as_deref()
    }

    /// The account's custom libraries that matched.
    pub fn hit_libraries(&self) -> &[LibraryHit] {
        &self.hit_libraries
    }

    /// The service's `extras` (1.0) or `Ext` (2.0), as JSON.
    pub fn extras(&self) -> Option<&str> {
        self.extras.as_deref()
    }
}

/// The result of scanning an image for one scene (1.0) or with one service (2.0).
///
/// ```
/// use greenlight::{Scene, green::{Suggestion, callback}};
///
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "t", "results": [
///         {"scene": "porn", "label": "sexy", "suggestion": "review", "rate": 73.5}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// let result = &outcome.results()[0];
/// assert_eq!((result.scene(), result.label()), (&Scene::Porn, "sexy"));
/// assert_eq!(result.suggestion(), &Suggestion::Review);
/// assert_eq!(result.rate(), Some(73.5));
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneResult {
    pub(super) scene: Scene,
    pub(super) label: String,
    pub(super) suggestion: Suggestion,
    pub(super) rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) risk_level: Option<RiskLevel>,
    /// All labels, if the API returns more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<Label>,
    #[serde(flatten)]
    pub(super) details: Details,
}

/// A label that was found in an image.
///
/// ```
/// use greenlight::green::callback;
///
/// // The result of 2.0 has several labels, one of 1.0 has one for each scene.
/// let report = callback::parse(
///     br#"{"ReqId": "t", "RiskLevel": "high", "Result": [
///         {"Label": "violent_explosion", "Confidence": 81.2, "RiskLevel": "high"},
///         {"Label": "violent_burning", "Confidence": 55.0, "RiskLevel": "low"}]}"#,
/// )?;
/// let outcome = report.outcome().expect("the task is done");
/// let names: Vec<_> = outcome.results()[0].labels().into_iter().map(|label| label.name).collect();
/// assert_eq!(names, ["violent_explosion", "violent_burning"]);
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The label: `sexy`, `violent_explosion` and so on. An open set.
    pub name: String,
    /// The confidence, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The service's description, in the language of its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The risk level of this label (2.0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_level: Option<RiskLevel>,
}

impl SceneResult {
    fn is_pass(&self) -> bool {
        self.suggestion == Suggestion::Pass
    }

    fn is_of(&self, scene: &Scene) -> bool {
        // The service's pages disagree about capitals.
        self.scene.as_str().eq_ignore_ascii_case(scene.as_str())
    }

    /// The scene; in 2.0 the service's code, as [`Scene::Other`].
    pub const fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The label: `normal`, `sexy`, `bloody` and so on; in 2.0 the one with the highest confidence.
    /// An open set.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// All labels. 1.0 returns one for each scene.
    pub fn labels(&self) -> Vec<Label> {
        if !self.labels.is_empty() {
            return self.labels.clone();
        }
        vec![Label {
            name: self.label.clone(),
            confidence: self.rate,
            description: None,
            risk_level: None,
        }]
    }

    /// The service's suggestion. In 2.0 it is derived from [`risk_level`](Self::risk_level) as the
    /// vendor does: high is block, medium and low are review, none is pass. An unknown level is
    /// review.
    pub const fn suggestion(&self) -> &Suggestion {
        &self.suggestion
    }

    /// The risk level as 2.0 returned it; `None` in 1.0.
    pub const fn risk_level(&self) -> Option<&RiskLevel> {
        self.risk_level.as_ref()
    }

    /// The confidence of [`label`](Self::label), 0 to 100. The documentation advises against
    /// deciding by it.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Additional findings.
    pub const fn details(&self) -> &Details {
        &self.details
    }
}
