//! What a scan found.

use serde::{Deserialize, Serialize};

use super::{
    detail::{Details, LibraryHit},
    object::Object,
    scene::{Scene, Suggestion},
};

/// All scenes' suggestions in one: the severest counts.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeDecision {
    /// Every scene says pass: every one that was asked, where it is known which were.
    Pass,
    /// A scene says review, and none block.
    Review,
    /// A scene says block.
    Block,
    /// There is no result, a scene that was asked has none, or one is not understood; and none says
    /// review or block.
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

/// What the service found in an image.
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
            // Nobody knows what stood in the place of a result that cannot be read.
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

    /// Holds the outcome against the scenes that were asked: a pass without a result for each of
    /// them is [`Undecided`](OutcomeDecision::Undecided).
    #[must_use]
    pub fn held_against(mut self, scenes: &[Scene]) -> Self {
        let has = |scene: &Scene| self.results.iter().any(|result| result.is_of(scene));
        if self.decision == OutcomeDecision::Pass && !scenes.iter().all(has) {
            self.decision = OutcomeDecision::Undecided;
        }
        self
    }

    /// All scenes' suggestions in one.
    pub const fn decision(&self) -> OutcomeDecision {
        self.decision
    }

    /// What was found, scene by scene.
    pub fn results(&self) -> &[SceneResult] {
        &self.results
    }

    /// Where the image is kept as evidence, for accounts that keep it.
    pub fn stored_url(&self) -> Option<&str> {
        self.stored_url.as_deref()
    }

    /// Libraries of the account's own that were hit.
    pub fn hit_libraries(&self) -> &[LibraryHit] {
        &self.hit_libraries
    }

    /// What the service adds in `extras`, as JSON.
    pub fn extras(&self) -> Option<&str> {
        self.extras.as_deref()
    }
}

/// What the service found in an image for one scene.
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

    /// Whether it passes a scene that it names.
    fn is_pass(&self) -> bool {
        self.suggestion == Suggestion::Pass && !self.scene.as_str().is_empty()
    }

    fn is_of(&self, scene: &Scene) -> bool {
        self.scene.as_str().eq_ignore_ascii_case(scene.as_str())
    }

    /// What the image was looked at for.
    pub const fn scene(&self) -> &Scene {
        &self.scene
    }

    /// What it was found to be: `normal`, `sexy`, `bloody` and so on. An open set.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What the service advises.
    pub const fn suggestion(&self) -> &Suggestion {
        &self.suggestion
    }

    /// How sure the service is, 0 to 100. Its pages say not to decide by it.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// What was found besides.
    pub const fn details(&self) -> &Details {
        &self.details
    }
}
