//! What is advised without an outcome.

use std::fmt;

use crate::error::from_name;

/// What is advised for an image that was not inspected in time.
///
/// A request may name another policy, if it is not more permissive than the server's.
///
/// ```
/// use greenlight::serve::OnOutage;
///
/// let server = OnOutage::Hold;
/// let requested: OnOutage = "allow".parse()?;
/// assert!(requested > server); // more permissive, so the server refuses the request
/// assert_eq!(OnOutage::ALL[0], OnOutage::Deny);
/// # Ok::<(), greenlight::UnknownName>(())
/// ```
// The order of the variants is that of `Ord`: a request may only name a lesser one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnOutage {
    /// Refuse the image.
    Deny,
    /// Keep the image until there is an outcome.
    #[default]
    Hold,
    /// Use the image. Its decision is still `not-inspected`.
    Allow,
}

impl OnOutage {
    /// Every policy, the strictest first.
    pub const ALL: &'static [Self] = &[Self::Deny, Self::Hold, Self::Allow];

    /// Returns the stable name: `deny`, `hold` or `allow`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Hold => "hold",
            Self::Allow => "allow",
        }
    }
}

from_name!(OnOutage, "outage policy");

impl fmt::Display for OnOutage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
