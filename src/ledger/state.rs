//! The states of an image and which may follow which.

use std::fmt;

use crate::error::{from_name, serde_name};

macro_rules! states {
    ($($variant:ident = $code:literal, $name:literal, $text:literal;)*) => {
        /// The state of an image.
        ///
        /// | state | stored as | meaning |
        /// |---|---|---|
        ///
        /// ```
        /// use greenlight::ledger::State;
        ///
        /// // A request that may have been billed ends with a response, or without a known one.
        /// assert!(State::Sending.may_become(State::Submitted));
        /// assert!(State::Sending.may_become(State::Uncertain));
        /// assert!(!State::Uncertain.may_become(State::Sending)); // not before it is settled
        /// assert!(State::Rejected.is_final());
        /// ```
        $(#[doc = concat!("| `", $name, "` | ", stringify!($code), " | ", $text, " |")])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum State {
            $(#[doc = concat!("`", $name, "`: ", $text, ".")] $variant,)*
        }

        impl State {
            /// Every state, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the number that represents the state in a store. It never changes.
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// Returns the state that is stored as this number.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

states! {
    Received = 0, "received", "enqueued and not checked yet";
    Checked = 1, "checked", "the URL's text meets the requirements, or the file can be read";
    Probed = 2, "probed", "accepted and waiting to be submitted";
    Sending = 3, "sending", "part of a request that may have been sent";
    Submitted = 4, "submitted", "the service returned a task id";
    Decided = 5, "decided", "the outcome is known";
    Delivered = 6, "delivered", "the consumer has acknowledged the outcome for every source";
    Rejected = 10, "rejected", "does not meet the requirements";
    Unreachable = 11, "unreachable", "could not be read; will be tried again";
    Uncertain = 12, "uncertain", "sent, without a known response";
    Expired = 13, "expired", "the service no longer has the result; will be submitted again";
    Dead = 14, "dead", "abandoned after a permanent failure, with a class that names the cause";
}

#[cfg(any(feature = "ledger", feature = "postgres"))]
impl State {
    /// The states of images that are claimed before they are sent.
    pub(super) const CLAIMED: [Self; 5] = [
        Self::Received,
        Self::Checked,
        Self::Unreachable,
        Self::Probed,
        Self::Expired,
    ];

    /// The states of images with remaining work.
    pub(super) const ACTIVE: [Self; 8] = [
        Self::Received,
        Self::Checked,
        Self::Unreachable,
        Self::Probed,
        Self::Expired,
        Self::Sending,
        Self::Uncertain,
        Self::Submitted,
    ];
}

impl State {
    /// Returns whether the state is final: the image stays in it unless a retry is requested.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Decided | Self::Delivered | Self::Rejected | Self::Dead
        )
    }

    /// Returns whether an image can change from this state to `next` in one step.
    ///
    /// A callback can decide an image that is not recorded as submitted, if the response to its
    /// submission was lost.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Received | Self::Checked | Self::Unreachable => matches!(
                next,
                Self::Probed | Self::Rejected | Self::Unreachable | Self::Dead | Self::Decided
            ),
            Self::Probed => matches!(
                next,
                Self::Sending | Self::Submitted | Self::Decided | Self::Dead
            ),
            Self::Sending => matches!(
                next,
                Self::Submitted
                    | Self::Uncertain
                    | Self::Probed
                    | Self::Dead
                    | Self::Decided
                    | Self::Expired
            ),
            Self::Uncertain => matches!(
                next,
                Self::Submitted | Self::Probed | Self::Dead | Self::Decided | Self::Expired
            ),
            Self::Submitted => matches!(
                next,
                Self::Decided | Self::Probed | Self::Expired | Self::Dead
            ),
            Self::Expired => matches!(
                next,
                Self::Sending | Self::Probed | Self::Decided | Self::Dead
            ),
            Self::Decided => matches!(next, Self::Delivered),
            Self::Delivered => matches!(next, Self::Decided),
            Self::Rejected => matches!(next, Self::Received),
            Self::Dead => matches!(next, Self::Received | Self::Probed | Self::Decided),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

from_name!(State, "state of an image");
serde_name!(State);
