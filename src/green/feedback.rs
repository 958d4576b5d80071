//! Telling the service that it was wrong.

use super::{
    ids::TaskId,
    scene::{Scene, Suggestion},
};

/// What the service should have said of an image (feedback page, 70432). Free of charge.
#[derive(Clone, Debug)]
pub struct Feedback {
    pub(super) task_id: TaskId,
    pub(super) suggestion: Option<Suggestion>,
    pub(super) scenes: Vec<Scene>,
    pub(super) url: Option<String>,
    pub(super) label: Option<String>,
    pub(super) note: Option<String>,
}

impl Feedback {
    /// Begins feedback about a task.
    pub const fn new(task_id: TaskId) -> Self {
        Self {
            task_id,
            suggestion: None,
            scenes: Vec::new(),
            url: None,
            label: None,
            note: None,
        }
    }

    /// Says what the suggestion for these scenes should have been: pass or block.
    #[must_use]
    pub fn with_suggestion(mut self, suggestion: Suggestion, scenes: &[Scene]) -> Self {
        self.suggestion = Some(suggestion);
        self.scenes = scenes.to_vec();
        self
    }

    /// Names the image's URL, so that the image enters the library of feedback.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    /// Says what the label should have been.
    #[must_use]
    pub fn with_label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// Adds words for whoever reads it.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        self.note = Some(note.to_owned());
        self
    }
}
