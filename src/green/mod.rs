//! The client of the moderation service.
//!
//! [`Client::submit`] sends a [`Batch`], [`Client::wait`] collects the outcomes. Every paid request
//! is made at most once unless the service itself reported that it was not executed:
//! [`what_can_go_wrong`] lists each failure, and what is billed.
//!
//! ```no_run
//! use greenlight::{Accepted, ImageUrl, Scene, green::{Batch, Client, Credentials, Task}};
//!
//! # async fn example(accepted: Accepted<ImageUrl>) -> Result<(), greenlight::Error> {
//! let client = Client::builder()
//!     .region("ap-southeast-1")
//!     .credentials(Credentials::from_env()?)
//!     .build()?;
//! let batch = Batch::new([Task::new(accepted)])?;
//! let submission = client.submit(batch, &[Scene::Porn, Scene::Terrorism]).await?;
//! let mut watch = client.watch(submission.task_ids().cloned());
//! while let Some(report) = watch.next().await? {
//!     if let Some(outcome) = report.outcome() {
//!         println!("{}: {}", report.task_id(), outcome.decision());
//!     }
//! }
//! # Ok(())
//! # }
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
