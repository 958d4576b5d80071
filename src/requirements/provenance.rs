//! When and how a verdict came about, to store with it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Requirements;

/// The version and requirements that a verdict is based on, and its time, to store with it. The keys
/// are those that the command prints.
///
/// ```
/// use std::time::SystemTime;
/// use greenlight::{Provenance, Requirements};
///
/// let site = Requirements::ASYNC.with_max_bytes(8_000_000);
/// let provenance = Provenance::new(&site, SystemTime::now());
/// assert_eq!(provenance.requirements, site.fingerprint());
/// assert_eq!(provenance.settings["max_bytes"], 8_000_000);
/// assert_eq!(provenance.read_settings()?, site);
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Provenance {
    /// The version of this crate.
    pub version: String,
    /// The [fingerprint](Requirements::fingerprint) of the requirements.
    pub requirements: String,
    /// The settings that differ from [`Requirements::ASYNC`].
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// The time of the verdict, in milliseconds since 1970.
    pub checked_at: u64,
}

impl Provenance {
    /// Returns the provenance of a verdict by these requirements and by this version.
    pub fn new(requirements: &Requirements, at: SystemTime) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            requirements: requirements.fingerprint(),
            settings: requirements.changed_settings(),
            checked_at: millis(at),
        }
    }

    /// Sets the time of the verdict, for another image by the same requirements:
    /// [`new`](Self::new) serializes them.
    #[must_use]
    pub fn with_time(mut self, at: SystemTime) -> Self {
        self.checked_at = millis(at);
        self
    }

    /// Reads the requirements from the stored settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for settings of a newer version.
    pub fn read_settings(&self) -> Result<Requirements, crate::Error> {
        Requirements::read(&Value::Object(self.settings.clone()).to_string())
    }
}

fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
