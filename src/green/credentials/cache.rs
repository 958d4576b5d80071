//! Credentials kept until they are about to expire.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{Credentials, ProvideCredentials};
use crate::error::{Error, ErrorKind};

/// A provider and what it provided last.
#[derive(Debug)]
pub(in crate::green) struct Cache {
    provider: Arc<dyn ProvideCredentials>,
    held: Mutex<Option<Credentials>>,
}

impl Cache {
    /// New ones are fetched when less than this is left, as the official libraries do.
    const FRESH: Duration = Duration::from_secs(15 * 60);

    /// Held ones are used when new ones cannot be fetched, as long as this is left.
    const USABLE: Duration = Duration::from_secs(60);

    pub(in crate::green) fn new(provider: Arc<dyn ProvideCredentials>) -> Self {
        Self {
            provider,
            held: Mutex::new(None),
        }
    }

    /// Returns credentials that are valid at `now`, and fetches new ones when necessary: one fetch
    /// at a time, while others wait for it. A failure is not kept.
    pub(in crate::green) async fn get(&self, now: Timestamp) -> Result<Credentials, Error> {
        // Held during the fetch: concurrent calls would each send a request to the provider.
        let mut held = self.held.lock().await;
        if let Some(credentials) = held.as_ref().filter(|held| held.lasts(now, Self::FRESH)) {
            return Ok(credentials.clone());
        }
        // A provider may be the caller's own, so its values are checked here as well: an unusable
        // key would otherwise be found only where a header is made of it.
        let provided = self.provider.provide().await.and_then(|provided| {
            let checked = provided.map(|new| new.checked("the provider"));
            checked.transpose()
        });
        let failure = match provided {
            // A provider may issue credentials that last less than `FRESH`.
            Ok(Some(new)) if new.lasts(now, Duration::ZERO) => {
                *held = Some(new.clone());
                return Ok(new);
            }
            Ok(Some(_)) => Error::new(ErrorKind::Credentials, "credentials have expired"),
            Ok(None) => Error::new(ErrorKind::Credentials, "no source has credentials"),
            Err(error) => error,
        };
        match held.as_ref().filter(|held| held.lasts(now, Self::USABLE)) {
            Some(credentials) => Ok(credentials.clone()),
            None => Err(failure),
        }
    }

    /// Requests credentials other than those that the service refused, and returns whether there
    /// are any: the source may know of a change that no expiry announced.
    pub(in crate::green) async fn renew(&self, refused: &Credentials, now: Timestamp) -> bool {
        {
            // In a block of its own, because `get` locks it again.
            let mut held = self.held.lock().await;
            // Another call may have done it meanwhile.
            if held.as_ref().is_some_and(|held| held.is_same_as(refused)) {
                *held = None;
            }
        }
        let new = self.get(now).await;
        new.is_ok_and(|new| !new.is_same_as(refused))
    }
}

impl Credentials {
    fn is_same_as(&self, other: &Self) -> bool {
        let token = |credentials: &Self| credentials.token().map(|token| token.expose().to_owned());
        self.access_key_id == other.access_key_id
            && self.access_key_secret.expose() == other.access_key_secret.expose()
            && token(self) == token(other)
    }

    /// Whether more than `margin` is left at `now`.
    pub(in crate::green) fn lasts(&self, now: Timestamp, margin: Duration) -> bool {
        let Some(expiry) = self.expiry else {
            return true;
        };
        SignedDuration::try_from(margin).is_ok_and(|margin| expiry.duration_since(now) > margin)
    }
}
