//! Feedback about wrong results.

use crate::green::{
    ids::TaskId,
    scene::{Scene, Suggestion},
};

/// A correction of a result (feedback page, 70432). Free of charge.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{ImageUrl, green::{Batch, Client, Credentials, Secret, Task}};
/// # use greenlight::sandbox::{Operation, Sandbox};
/// # let sandbox = Sandbox::start().await?;
/// # let key = sandbox.credentials();
/// # let key = Credentials::new(key.id(), Secret::new(key.secret()));
/// # let client = Client::builder().endpoint(&sandbox.endpoint()).credentials(key).build()?;
/// # let task = Task::unchecked(ImageUrl::parse("https://images.example/porn.png")?);
/// # let submission = client.submit(Batch::new([task])?, &[Scene::Porn]).await?;
/// use greenlight::{Scene, green::{Feedback, Suggestion}};
///
/// let task = submission.task_ids().next().cloned().expect("the image was submitted");
/// let feedback = Feedback::new(task)
///     .with_suggestion(Suggestion::Pass, &[Scene::Porn])
///     .with_note("a statue");
/// client.feedback(&feedback).await?;
/// assert_eq!(sandbox.requests_of(Operation::Feedback), 1);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
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
    /// Creates feedback about a task.
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

    /// Sets the right suggestion for these scenes: pass or block.
    #[must_use]
    pub fn with_suggestion(mut self, suggestion: Suggestion, scenes: &[Scene]) -> Self {
        self.suggestion = Some(suggestion);
        self.scenes = scenes.to_vec();
        self
    }

    /// Sets the URL of the image, so that the image is added to the feedback library.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    /// Sets the right label.
    #[must_use]
    pub fn with_label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// Adds a note for the service's staff.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        self.note = Some(note.to_owned());
        self
    }
}
