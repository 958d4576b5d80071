//! Faults of the network and the service that a test can request.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use super::Operation;

/// Whether a request is executed before its fault.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     ImageUrl, Retry, Scene,
///     green::{Batch, Client, Credentials, Secret, Task},
///     sandbox::{Fault, Operation, Sandbox, When},
/// };
///
/// let fault = Fault::Close(When::After);
/// let sandbox = Sandbox::builder().fault(Operation::AsyncScan, fault).start().await?;
/// let key = sandbox.credentials();
/// let client = Client::builder()
///     .endpoint(&sandbox.endpoint())
///     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
///     .build()?;
/// let task = Task::unchecked(ImageUrl::parse("https://example.com/cat.png")?);
/// let error = client.submit(Batch::new([task])?, &[Scene::Porn]).await.unwrap_err();
/// assert_eq!(error.retry(), Retry::Ambiguous);
/// assert_eq!(sandbox.paid(), 1); // with `When::Before` it is 0, and the error is the same
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The request is not executed.
    Before,
    /// The request is executed, and its tasks are billed; only the answer is lost.
    After,
}

/// The elements of a request that have a fault.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::sandbox::{Fault, Operation, Sandbox, Share};
///
/// let sandbox = Sandbox::start().await?;
/// // Every other image of the next submission is refused, and not billed.
/// sandbox.inject(Operation::AsyncScan, Fault::Tasks(480, Share::Half));
/// assert_eq!(sandbox.paid(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Share {
    /// All.
    All,
    /// Those at even positions, from the first.
    Half,
    /// The first.
    First,
}

impl Share {
    pub(super) const fn takes(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Half => index.is_multiple_of(2),
            Self::First => index == 0,
        }
    }
}

/// A fault of one request. Faults without a meaning for an operation have no effect: an
/// [`Upload`](Operation::Upload) supports delays, gateway failures and closed connections.
///
/// ```
/// use greenlight::sandbox::{Fault, Operation, Sandbox, When};
///
/// // The first submission is executed and billed, but its answer is lost.
/// let builder = Sandbox::builder().fault(Operation::AsyncScan, Fault::Close(When::After));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The service answers this code (HTTP 200) and does nothing: 588 over the quota, 500, 580 …
    Service(i64),
    /// The same, with the code as the HTTP status too; what the service does is not documented.
    ServiceStatus(u16),
    /// The answer's envelope is written as the documentation's tables do: `Code`, `Msg`,
    /// `RequestId`, `Data`.
    Capitalised,
    /// A share of the elements answers this code; of a scan, they are not executed.
    Tasks(i64, Share),
    /// The gateway throttles: this HTTP status, with `x-acs-retry-after` (milliseconds) if given.
    Throttled(u16, Option<Duration>),
    /// The gateway fails: this HTTP status, with its JSON.
    Gateway(u16, When),
    /// A proxy on the way answers an HTML page with this HTTP status.
    Html(u16, When),
    /// The answer comes this much later; the request was executed at once.
    Delay(Duration),
    /// The answer is HTTP 200 without a body; the request was executed.
    Empty,
    /// The answer is complete for HTTP, its JSON truncated; the request was executed.
    CutBody,
    /// The answer is shorter than its `Content-Length`, then the connection closes; the request
    /// was executed.
    ShortBody,
    /// The connection closes without an answer.
    Close(When),
    /// The answer's elements come in another order.
    Shuffled,
    /// A share of the answer's elements is missing; of a scan, they were executed.
    Missing(Share),
    /// All tasks are forgotten before the poll, which is answered with 594.
    Forgotten,
}

/// The pending faults of each operation, one per request, in order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    next: Mutex<HashMap<Operation, VecDeque<Fault>>>,
}

impl Plan {
    pub(super) fn add(&self, operation: Operation, fault: Fault) {
        let mut next = self.next.lock().expect("no holder panics");
        next.entry(operation).or_default().push_back(fault);
    }

    pub(super) fn take(&self, operation: Operation) -> Option<Fault> {
        let mut next = self.next.lock().expect("no holder panics");
        next.get_mut(&operation)?.pop_front()
    }
}
