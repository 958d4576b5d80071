//! The numbers that represent the states of batches and tasks in every store. They never change.

/// The state of a batch's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum BatchState {
    Sending,
    Answered,
    Refused,
    Unknown,
}

impl BatchState {
    pub(in crate::ledger) const fn code(self) -> u8 {
        match self {
            Self::Sending => 0,
            Self::Answered => 1,
            Self::Refused => 2,
            Self::Unknown => 3,
        }
    }
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum TaskState {
    Open,
    Decided,
    Failed,
    Expired,
}

impl TaskState {
    pub(in crate::ledger) const fn code(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Decided => 1,
            Self::Failed => 2,
            Self::Expired => 3,
        }
    }
}
