//! The arguments and results of a ledger's methods: plain records, which both callers and
//! implementations construct.

mod batch;
mod claim;
mod intake;
mod task;

pub use batch::{BatchId, BatchResult, Begun, ImageResult, Stray};
pub use claim::{Claimed, Finding, Hold, Judgement, Lease, NextStep, Work};
pub use intake::{Enqueued, Known, Location, NewImage, Reason, Source};
pub use task::{EXPIRED_CLASS, Poll, Recovered, TaskUpdate, Update};
