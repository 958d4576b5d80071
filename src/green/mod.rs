//! The client of the moderation service.
//!
//! [`Client::submit`] sends a [`Batch`], [`Client::wait`] brings the outcomes home. Every paid
//! request is made at most once unless the service itself said that it was not done; see
//! [`Retry`](crate::Retry).

mod client;
mod clock;
mod credentials;
mod endpoint;
mod ids;
mod outcome;
mod poll;
mod retry;
mod scene;
pub mod sign;
mod task;
mod wire;

pub use client::{Client, ClientBuilder};
pub use credentials::{Credentials, FromEnvironment, ProvideCredentials, Provided};
pub use endpoint::Network;
pub use ids::{DataId, RequestId, TaskId};
pub use outcome::{
    Outcome, OutcomeDecision, Refusal, SceneResult, Submission, Submitted, TaskReport, TaskState,
};
pub use poll::Watch;
pub use scene::{Scene, Suggestion};
pub use task::{Batch, Task};
