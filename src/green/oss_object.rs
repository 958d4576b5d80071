//! Images in the caller's own bucket.

use std::fmt;

use crate::{
    error::{Error, ErrorKind},
    sanitize::harmless,
};

/// An object of Alibaba Cloud's object storage, in a bucket of the caller's account, which 2.0
/// reads without a download from its URL ([`Task::with_object`](super::Task::with_object)).
///
/// The service needs the right to read the bucket; how it is granted for 2.0 is not documented.
///
/// ```
/// use greenlight::green::{OssName, OssObject};
///
/// let name = OssName { region: "cn-shanghai", bucket: "photos", key: "2026/cat.jpg" };
/// let object = OssObject::new(name)?;
/// assert_eq!(object.to_string(), "photos/2026/cat.jpg in cn-shanghai");
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OssObject {
    region: String,
    bucket: String,
    key: String,
}

/// The parts of an object's name, for [`OssObject::new`].
///
/// ```
/// use greenlight::green::{OssName, OssObject};
///
/// // A name that the service could not read is an error here.
/// let name = OssName { region: "oss-cn-shanghai", bucket: "Photos", key: "/cat.jpg" };
/// assert!(OssObject::new(name).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OssName<'a> {
    /// The region, written as `cn-shanghai`, without `oss-`.
    pub region: &'a str,
    /// The bucket: 3 to 63 lower-case letters, digits and `-`.
    pub bucket: &'a str,
    /// The name in the bucket: 1 to 1,023 bytes without control characters, not beginning with `/`.
    pub key: &'a str,
}

impl OssObject {
    /// Names an object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a region, a bucket or a key that cannot be one (object storage
    /// documentation, naming conventions).
    pub fn new(name: OssName<'_>) -> Result<Self, Error> {
        let OssName {
            region,
            bucket,
            key,
        } = name;
        let is_name = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
            let is_allowed =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            lengths.contains(&text.len())
                && text.bytes().all(is_allowed)
                && !text.starts_with('-')
                && !text.ends_with('-')
        };
        let is_key = (1..=1_023).contains(&key.len())
            && !key.starts_with(['/', '\\'])
            && !key.chars().any(char::is_control);
        let wrong = if !is_name(region, 1..=40) || region.starts_with("oss-") {
            Some(("region", region))
        } else if !is_name(bucket, 3..=63) {
            Some(("bucket", bucket))
        } else if is_key {
            None
        } else {
            Some(("key", key))
        };
        match wrong {
            None => Ok(Self {
                region: region.to_owned(),
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            }),
            Some((what, text)) => Err(Error::new(
                ErrorKind::Usage,
                format!("not a {what} of an object: {}", harmless(text, 80)),
            )),
        }
    }

    /// The region, as `cn-shanghai`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The name in the bucket.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// `bucket/key in region`.
impl fmt::Display for OssObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} in {}", self.bucket, self.key, self.region)
    }
}
