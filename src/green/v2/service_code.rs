//! The code of a service.

use std::{fmt, str::FromStr};

use crate::{
    error::Error,
    scene::{Scene, check_word},
};

/// The code of a service of 2.0, which is the policy that an image is scanned by: there are neither
/// scenes nor business types.
///
/// The set is open: a service that is copied in the console gets a code of its own.
///
/// ```
/// use greenlight::green::v2::ServiceCode;
///
/// let code: ServiceCode = "baselineCheck".parse()?;
/// assert!(code.is_documented());
/// assert!("no spaces".parse::<ServiceCode>().is_err());
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceCode(String);

impl ServiceCode {
    /// The codes that the service's pages name (467828, 2857796, 2672918, and their international
    /// editions, 2026-03). Those that end in `_cb` and `_global` are of Singapore and the regions
    /// outside China.
    pub const DOCUMENTED: &'static [&'static str] = &[
        "baselineCheck",
        "baselineCheck_pro",
        "baselineCheck_cb",
        "baselineCheck_global",
        "baselineCheckByVL",
        "postImageCheckByVL",
        "postImageCheckByVL_cb",
        "postImageCheckByVL_global",
        "tonalityImprove",
        "tonalityImprove_cb",
        "aigcCheck",
        "aigcCheck_cb",
        "aigcDetector",
        "aigcDetector_global",
        "profilePhotoCheck",
        "postImageCheck",
        "advertisingCheck",
        "adCheckByVL",
        "liveStreamCheck",
        "riskDetection",
        "riskDetection_cb",
        "generalOcr",
        "generalRecognition",
        "faceDetect",
        "faceDetect_pro",
        "faceDetect_global",
        "faceDetect_pro_global",
    ];

    /// Returns whether the service's pages name the code.
    pub fn is_documented(&self) -> bool {
        Self::DOCUMENTED.contains(&self.as_str())
    }

    /// Returns the code as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name under which an [`Outcome`](crate::green::Outcome) has the results of the service.
    pub fn to_scene(&self) -> Scene {
        Scene::Other(self.0.clone())
    }
}

impl FromStr for ServiceCode {
    type Err = Error;

    /// Parses a code.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a text that does not match `[A-Za-z0-9_-]{1,64}`.
    fn from_str(text: &str) -> Result<Self, Error> {
        check_word("service code", text).map(|()| Self(text.to_owned()))
    }
}

impl fmt::Display for ServiceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
