//! The identity of an image: within one scope, its canonical URL or its bytes.

use std::{fmt, path::Path};

use sha2::{Digest, Sha256};

use crate::{format::Format, image_url::ImageUrl, scene::Scene};

/// The terms under which a ledger's images are scanned: account, service, scenes and policy. An
/// outcome is valid for these terms only, so the scope of a ledger never changes.
///
/// ```
/// use greenlight::{Scene, ledger::Scope};
///
/// let scope = Scope::new(&[Scene::Porn, Scene::Ad])
///     .with_account("my-account")
///     .with_service("green.ap-southeast-1.aliyuncs.com");
/// assert_eq!(scope.scenes(), [Scene::Ad, Scene::Porn]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    account: String,
    service: String,
    scenes: Vec<Scene>,
    policy: String,
}

impl Scope {
    /// Returns a scope of the requested scenes, whose order and repetition do not matter. A ledger
    /// that is used with the service needs the account and the service, too.
    pub fn new(scenes: &[Scene]) -> Self {
        let mut scenes = scenes.to_vec();
        // By the service's words, which the keys of stored images depend on.
        scenes.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        scenes.dedup_by(|one, other| one.as_str() == other.as_str());
        Self {
            account: String::new(),
            service: String::new(),
            scenes,
            policy: String::new(),
        }
    }

    /// Sets the billed account. By default it is empty.
    #[must_use]
    pub fn with_account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    /// Sets the host of the service's endpoint. By default it is empty.
    #[must_use]
    pub fn with_service(mut self, service: &str) -> Self {
        service.clone_into(&mut self.service);
        self
    }

    /// Sets the version of the policy that outcomes depend on, such as the business type. The same
    /// URL under another policy is another image.
    #[must_use]
    pub fn with_policy(mut self, policy: &str) -> Self {
        policy.clone_into(&mut self.policy);
        self
    }

    /// Returns the billed account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the host of the service's endpoint.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Returns the requested scenes, sorted by their names.
    pub fn scenes(&self) -> &[Scene] {
        &self.scenes
    }

    /// Returns the version of the policy; empty if there is none.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Checks that a ledger of this scope can be used for `wanted`. The error names the difference.
    #[cfg(any(feature = "ledger", feature = "postgres"))]
    pub(super) fn check(&self, wanted: &Self) -> Result<(), String> {
        let scenes = |scope: &Self| {
            let names: Vec<_> = scope.scenes.iter().map(Scene::as_str).collect();
            names.join(",")
        };
        let parts = [
            ("account", self.account.clone(), wanted.account.clone()),
            ("service", self.service.clone(), wanted.service.clone()),
            ("scenes", scenes(self), scenes(wanted)),
            ("policy", self.policy.clone(), wanted.policy.clone()),
        ];
        let differs = parts.iter().find(|(_, found, wanted)| found != wanted);
        differs.map_or(Ok(()), |(what, found, wanted)| {
            Err(format!(
                "it belongs to {what} `{found}`, not `{wanted}`; name another ledger"
            ))
        })
    }
}

/// The identity of an image: the SHA-256 of the scope and of the canonical URL or the content's
/// hash. It is submitted as the image's data id, in lower-case hex, so that callbacks identify the
/// image.
///
/// ```
/// use greenlight::{ImageUrl, Scene, ledger::{Key, Scope}};
///
/// let scope = Scope::new(&[Scene::Porn]);
/// let key = |text| ImageUrl::parse(text).map(|url| Key::of_url(&scope, &url));
/// assert_eq!(key("https://Images.example/a.png#top")?, key("https://images.example/a.png")?);
/// # Ok::<(), greenlight::UrlError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// Returns the key of an image by its URL. URLs that differ only in parts that a server never
    /// receives (case of the host, default port, fragment) have the same key.
    pub fn of_url(scope: &Scope, url: &ImageUrl) -> Self {
        let mut canonical = url.parsed().clone();
        // A fragment is not sent to the server.
        canonical.set_fragment(None);
        Self::digest(scope, b"url", canonical.as_str().as_bytes())
    }

    /// Returns the key of an image by the SHA-256 of its bytes.
    pub fn of_content(scope: &Scope, sha256: &[u8; 32]) -> Self {
        Self::digest(scope, b"content", sha256)
    }

    /// Returns the key of an image in a file whose name rejects it because it claims another
    /// format. The image under [`of_content`](Self::of_content) is not rejected with it.
    pub fn of_misnamed_content(scope: &Scope, sha256: &[u8; 32], claimed: Format) -> Self {
        let mut subject = sha256.to_vec();
        subject.extend(claimed.name().as_bytes());
        Self::digest(scope, b"misnamed content", &subject)
    }

    /// Returns the key of a file that could not be read, so that its rejection can be recorded.
    pub fn of_path(scope: &Scope, path: &Path) -> Self {
        Self::digest(scope, b"path", path.as_os_str().as_encoded_bytes())
    }

    /// Returns the key of a text that is not a URL, so that its rejection can be recorded.
    pub fn of_text(scope: &Scope, text: &str) -> Self {
        Self::digest(scope, b"text", text.as_bytes())
    }

    /// Returns the key with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses the [`Display`](fmt::Display) form: 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = hex_digit(high)? << 4 | hex_digit(low)?;
        }
        Some(Self(bytes))
    }

    /// Hashes each part with its length, so that no two lists of parts give the same input.
    fn digest(scope: &Scope, kind: &[u8], subject: &[u8]) -> Self {
        let scene_count = scope.scenes.len().to_string();
        let head = [
            // The version of this formula: another one must not produce a key of this one.
            b"greenlight image key 1".as_slice(),
            scope.account.as_bytes(),
            scope.service.as_bytes(),
            scope.policy.as_bytes(),
            scene_count.as_bytes(),
        ];
        let scenes = scope.scenes.iter().map(|scene| scene.as_str().as_bytes());
        let mut hash = Sha256::new();
        for part in head.into_iter().chain(scenes).chain([kind, subject]) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}
