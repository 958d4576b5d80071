//! Results of a scan.

use serde::{Deserialize, Serialize};

use super::{
    detail::{Details, LibraryHit},
    object::Object,
    scene::{Scene, Suggestion},
};

/// The most severe suggestion of all scenes.
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
    /// There is no result, a requested scene has none, or one is unknown; and none suggests review or
    /// block.
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

    fn of(results: &[SceneResult]) -> Self {
        let says = |suggestion: &Suggestion| results.iter().any(|r| r.suggestion == *suggestion);
        if says(&Suggestion::Block) {
            Self::Block
        } else if says(&Suggestion::Review) {
            Self::Review
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
/// use greenlight::green::{OutcomeDecision, Scene, callback};
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
    decision: OutcomeDecision,
    results: Vec<SceneResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored_url: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hit_libraries: Vec<LibraryHit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extras: Option<String>,
}

impl Outcome {
    pub(super) fn of(element: &Object<'_>) -> Self {
        let results: Vec<_> = element
            .objects("results")
            .iter()
            .map(SceneResult::of)
            .collect();
        let decision = match OutcomeDecision::of(&results) {
            // The result that cannot be read may have been a block.
            OutcomeDecision::Pass if results.len() < element.count("results") => {
                OutcomeDecision::Undecided
            }
            decision => decision,
        };
        Self {
            decision,
            results,
            stored_url: element
                .text("storedUrl")
                .or_else(|| element.text("storeUrl"))
                .map(str::to_owned),
            hit_libraries: element
                .objects("extras")
                .iter()
                .flat_map(LibraryHit::all)
                .collect(),
            extras: element.json("extras"),
        }
    }

    /// Downgrades a pass to [`Undecided`](OutcomeDecision::Undecided) unless each of these scenes has
    /// a result.
    #[must_use]
    pub fn require_scenes(mut self, scenes: &[Scene]) -> Self {
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

    /// The results, one per scene.
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

    /// The service's `extras`, as JSON.
    pub fn extras(&self) -> Option<&str> {
        self.extras.as_deref()
    }
}

/// The result of scanning an image for one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneResult {
    scene: Scene,
    label: String,
    suggestion: Suggestion,
    rate: Option<f64>,
    #[serde(flatten)]
    details: Details,
}

impl SceneResult {
    fn of(result: &Object<'_>) -> Self {
        let text = |name| result.text(name).unwrap_or_default();
        Self {
            scene: Scene::from_word(text("scene")),
            label: text("label").to_owned(),
            suggestion: Suggestion::from_word(text("suggestion")),
            rate: result.number("rate"),
            details: Details::of(result),
        }
    }

    /// Whether it is a pass with a named scene.
    fn is_pass(&self) -> bool {
        self.suggestion == Suggestion::Pass && !self.scene.as_str().is_empty()
    }

    fn is_of(&self, scene: &Scene) -> bool {
        self.scene.as_str().eq_ignore_ascii_case(scene.as_str())
    }

    /// The scene.
    pub const fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The label: `normal`, `sexy`, `bloody` and so on. An open set.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The service's suggestion.
    pub const fn suggestion(&self) -> &Suggestion {
        &self.suggestion
    }

    /// The confidence, 0 to 100. The documentation advises against deciding by it.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Additional findings.
    pub const fn details(&self) -> &Details {
        &self.details
    }
}
