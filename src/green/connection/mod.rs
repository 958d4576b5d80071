//! The common part of both clients: one account's connection to a gateway. It signs, sends, repeats
//! calls where that is allowed, and limits their rate.

mod call;
mod failure;
mod signing;

use std::{fmt, time::Duration};

pub(super) use call::{Body, Call, Plan, is_ok};
pub(super) use failure::{Failure, failed};
pub use signing::SignatureStyle;

use super::{
    clock::Clock,
    codes::Codes,
    credentials::Cache,
    endpoint::{Endpoint, Hosts, Network},
    grant::{Grant, GrantCache},
    http::Http,
    object::Object,
    rate::RateLimits,
    retry::Budget,
    terms::PollConfig,
};

/// The properties that an API defines for every call.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The version of the API.
    pub(super) version: &'static str,
    /// Its hosts.
    pub(super) hosts: &'static Hosts,
    /// The meaning of the codes in its responses.
    pub(super) codes: &'static Codes,
    /// The call that requests upload credentials.
    pub(super) upload_grant: fn() -> Call<'static>,
    /// Reads the response to it.
    pub(super) grant: fn(&Object<'_>, &Endpoint, Network) -> Option<Grant>,
}

/// The connection of one account to the gateway of one region.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) endpoint: Endpoint,
    pub(super) api_version: String,
    pub(super) dialect: &'static Dialect,
    pub(super) settings: Settings,
    pub(super) credentials: Cache,
    pub(super) grants: GrantCache,
    pub(super) clock: Clock,
    pub(super) budget: Budget,
    pub(super) rate_limits: RateLimits,
    pub(super) http: Http,
}

/// Time limits, attempts and modes.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) deadline: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) attempts: u32,
    pub(super) upload_deadline: Duration,
    pub(super) network: Network,
    pub(super) signature: SignatureStyle,
    pub(super) poll: PollConfig,
}

/// The query parameter that names the publisher of the images.
pub(super) struct InfoParameter {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// Personal data: not shown.
impl fmt::Debug for InfoParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=<redacted>", self.name)
    }
}
