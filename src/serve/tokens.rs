//! The tokens of the clients.

use std::{fmt, num::NonZeroU32, time::Duration};

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, MonotonicClock},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{clock, lines};
use crate::error::Error;

/// A shorter token could be guessed.
const MIN_LEN: usize = 16;

/// The tokens that a server accepts, as hashes.
///
/// A request has one of them in `Authorization: Bearer TOKEN`, or as the password of
/// `Authorization: Basic`, for clients that can only be configured with a URL
/// (`http://any:TOKEN@host/`). It is compared in constant time.
///
/// ```
/// use greenlight::serve::Tokens;
///
/// let tokens = Tokens::parse("# the shop\nan-example-of-a-token\n")?;
/// assert_eq!(tokens.len(), 1);
/// assert!(Tokens::parse("short").is_err());
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Tokens {
    hashes: Vec<[u8; 32]>,
}

impl Tokens {
    /// Reads one token per line. Blank lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a text without a token, and for a token
    /// with fewer than 16 characters or with other characters than visible ASCII. The error names
    /// the line and not the token.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let hashes = lines::parse("tokens", text, |token| {
            if token.len() < MIN_LEN {
                return Err("fewer than 16 characters");
            }
            if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("a character that is not visible ASCII");
            }
            // Tokens of different lengths cannot be compared in constant time, hashes can.
            Ok(Sha256::digest(token).into())
        })?;
        Ok(Self { hashes })
    }

    /// Returns how many tokens there are.
    pub const fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Returns whether no token is required.
    pub const fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Returns the index of the token in these headers. Compares with every token, so that the time
    /// does not depend on the matching one.
    fn find(&self, headers: &HeaderMap) -> Option<usize> {
        let hash: [u8; 32] = Sha256::digest(presented(headers)?).into();
        let mut found = None;
        for (index, token) in self.hashes.iter().enumerate() {
            if bool::from(token.ct_eq(&hash)) {
                found = Some(index);
            }
        }
        found
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.hashes.len())
    }
}

/// Returns the token of a Bearer header (RFC 6750), or the password of a Basic one (RFC 7617).
fn presented(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}

/// A client's rate.
type Cells = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware>;

/// The clients: one per token, or one if no token is required.
pub(super) struct Clients {
    tokens: Tokens,
    rates: Vec<Cells>,
}

/// What a request is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It has no known token.
    Unknown,
    /// The client may repeat it after this time.
    TooFast(Duration),
}

impl Clients {
    pub(super) fn new(tokens: Tokens, rate: Option<NonZeroU32>) -> Self {
        let clients = tokens.len().max(1);
        let cells =
            |rate| RateLimiter::direct_with_clock(Quota::per_second(rate), clock::of_rates());
        let rates = rate.map(|rate| (0..clients).map(|_| cells(rate)).collect());
        Self {
            tokens,
            rates: rates.unwrap_or_default(),
        }
    }

    pub(super) const fn are_known(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Returns the number of the request's token, from 1; 0 if no token is required.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<usize, Denied> {
        // Before the rate is counted: a request without a token uses no client's rate.
        let index = if self.are_known() {
            Some(self.tokens.find(headers).ok_or(Denied::Unknown)?)
        } else {
            None
        };
        if let Some(cells) = self.rates.get(index.unwrap_or(0)) {
            cells.check().map_err(|not_until| {
                Denied::TooFast(not_until.wait_time_from(clock::of_rates().now()))
            })?;
        }
        Ok(index.map_or(0, |index| index.saturating_add(1)))
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clients").field(&self.tokens).finish()
    }
}
