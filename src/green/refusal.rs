//! A per-task rejection by the service.

use serde::{Deserialize, Serialize};

use super::{
    codes::Codes,
    object::Object,
    retry::{Class, Effect},
};
use crate::{
    error::{RefusalSubject, Retry},
    sanitize::harmless,
};

/// A per-task rejection by the service, in an answer that is a success as a whole.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # use greenlight::{
/// #     ImageUrl, Scene,
/// #     green::{Batch, Client, Credentials, Secret, Task},
/// #     sandbox::{Fault, Operation, Sandbox, Share},
/// # };
/// use greenlight::{RefusalSubject, Retry};
///
/// # let fault = Fault::Tasks(480, Share::All);
/// # let sandbox = Sandbox::builder().fault(Operation::AsyncScan, fault).start().await?;
/// # let key = sandbox.credentials();
/// # let client = Client::builder()
/// #     .endpoint(&sandbox.endpoint())
/// #     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
/// #     .build()?;
/// # let batch = Batch::new([Task::unchecked(ImageUrl::parse("https://images.example/a.png")?)])?;
/// let submission = client.submit(batch, &[Scene::Porn]).await?;
/// let refusal = submission.entries()[0].result().unwrap_err();
/// assert_eq!(refusal.code(), 480); // the service could not download the image
/// assert_eq!(refusal.subject(), RefusalSubject::Download);
/// assert!(matches!(refusal.retry(), Retry::After(_)));
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    code: u16,
    message: String,
    /// The meaning of the code in the API that returned it.
    class: Class,
    subject: RefusalSubject,
}

impl Refusal {
    pub(super) fn of(element: &Object<'_>, codes: &Codes) -> Self {
        Self::new(element.code().unwrap_or(0), element.message(), codes)
    }

    pub(super) fn new(code: u16, message: &str, codes: &Codes) -> Self {
        Self {
            code,
            message: harmless(message, 400),
            class: match code {
                0 => Class::Ambiguous,
                code => (codes.class)(code),
            },
            subject: (codes.subject)(code),
        }
    }

    pub(super) fn unanswered(what: &str) -> Self {
        Self {
            code: 0,
            message: what.to_owned(),
            class: Class::Ambiguous,
            subject: RefusalSubject::Request,
        }
    }

    /// The service's code: 480, 588 and so on in 1.0, 404, 406 and so on in 2.0; 0 if the response
    /// holds nothing about the task.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The service's message, sanitized.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same task may succeed later.
    pub(super) const fn is_temporary(&self) -> bool {
        matches!(self.class, Class::Throttled(_) | Class::Temporary)
    }

    /// Whether the service refused the task because of its rate or quota only.
    pub(crate) const fn is_throttling(&self) -> bool {
        matches!(self.class, Class::Throttled(_))
    }

    /// Whether the same image may be submitted again: [`Retry::Ambiguous`] when the answer does not
    /// say whether the task was taken.
    pub fn retry(&self) -> Retry {
        self.class.verdict(Effect::Paid)
    }

    /// Returns what the refusal is about.
    pub const fn subject(&self) -> RefusalSubject {
        self.subject
    }

    /// Whether the answer has no entry for the task, or no id for it, so that the task may have been
    /// accepted, and billed, without an id to poll. [`retry`](Self::retry) is [`Retry::Ambiguous`]
    /// then, and only then.
    pub const fn is_ambiguous(&self) -> bool {
        self.code == 0
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.message.as_str()) {
            (0, message) => f.write_str(message),
            (code, "") => write!(f, "{code}"),
            (code, message) => write!(f, "{code} {message}"),
        }
    }
}
