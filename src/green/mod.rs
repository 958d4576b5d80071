//! The client of the moderation service.
//!
//! [`Client::submit`] sends a [`Batch`], [`Client::wait`] collects the outcomes. Every paid request
//! is made at most once unless the service itself reported that it was not executed:
//! [`what_can_go_wrong`] lists each failure, and what is billed.
//!
//! ```
//! # #[cfg(feature = "sandbox")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use greenlight::{Inspection, Requirements, green::Content};
//! use greenlight::{
//!     Scene,
//!     green::{Batch, Client, Credentials, Secret, Task},
//!     sandbox::Sandbox,
//! };
//!
//! // A mock of the service. The real one needs `region("ap-southeast-1")` in place of `endpoint`,
//! // and `Credentials::from_env()?`.
//! let sandbox = Sandbox::start().await?;
//! let key = sandbox.credentials();
//! let client = Client::builder()
//!     .endpoint(&sandbox.endpoint())
//!     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
//! #     .poll_interval(std::time::Duration::from_millis(20))
//!     .build()?;
//! # let bytes = std::fs::read("fixtures/images/png/rgb.png")?;
//! # let accepted = Requirements::ASYNC.judge(Inspection::of(&bytes)).into_result()?;
//! # let accepted = client.upload(accepted, &Content::bytes(bytes)).await?;
//! let batch = Batch::new([Task::new(accepted)])?;
//! let submission = client.submit(batch, &[Scene::Porn, Scene::Terrorism]).await?;
//! let mut watch = client.watch(submission.task_ids().cloned());
//! while let Some(report) = watch.next().await? {
//!     if let Some(outcome) = report.outcome() {
//!         println!("{}: {}", report.task_id(), outcome.decision());
//!     }
//! }
//! assert_eq!(sandbox.billed(), 2); // one image in two scenes
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sandbox"))]
//! # fn main() {}
//! ```

mod api;
mod builder;
pub mod callback;
mod clock;
mod codes;
mod coding;
mod connection;
mod credentials;
mod detail;
mod endpoint;
mod grant;
mod http;
mod object;
mod options;
mod oss_object;
mod outcome;
mod poll;
mod rate;
mod refusal;
mod report;
mod retry;
mod scene;
pub mod sign;
mod submission;
mod task;
mod terms;
mod trace;
mod upload;
mod v1;
pub mod v2;
#[doc = include_str!("../../docs/what-can-go-wrong.md")]
pub mod what_can_go_wrong {}
mod wire;

use crate::ids;
pub use api::{Api, ApiReply};
pub use builder::ClientBuilder;
pub use connection::SignatureStyle;
pub use credentials::{
    Chain, Credentials, FromCliProfile, FromEcsRole, FromEnvironment, FromIniProfile, FromUri,
    ProvideCredentials, Provided, Secret,
};
pub use detail::{Area, Details, Face, FramePart, LibraryHit, Person};
pub use endpoint::Network;
pub use options::{Callback, ClientInfo, CryptType, ScanOptions};
pub use oss_object::{OssName, OssObject};
pub use outcome::{Label, Outcome, OutcomeDecision, SceneResult};
pub use poll::Watch;
pub use refusal::Refusal;
pub use report::{TaskReport, TaskState};
pub use scene::{RiskLevel, Suggestion};
pub use submission::{Scanned, Submission, Submitted};
pub use task::{Batch, Task};
pub use terms::Terms;
#[cfg(feature = "pipeline")]
pub(crate) use terms::poll_delay;
pub use upload::Content;
pub use v1::{Client, Feedback};
