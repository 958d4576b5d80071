//! Credentials from the files of the official command line tool and libraries.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{Credentials, ProvideCredentials, Provided, Secret, env::variable};
use crate::{
    error::{Error, ErrorKind},
    green::object::{Object, without_mark},
    sanitize::harmless,
};

/// `~/.aliyun/config.json`, which the official command line tool writes: profiles of the modes `AK`
/// and `StsToken`.
///
/// The profile is the one named here, else `ALIBABA_CLOUD_PROFILE`, else the file's own `current`.
/// With `ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true` it has none.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::green::{FromCliProfile, ProvideCredentials};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("config.json");
/// std::fs::write(&path, r#"{"current": "default", "profiles": [{"name": "default", "mode": "AK",
///     "access_key_id": "LTAIexample", "access_key_secret": "example-secret"}]}"#)?;
/// let credentials = FromCliProfile::new().with_path(&path).provide().await?;
/// assert_eq!(credentials.expect("the file has a profile").access_key_id(), "LTAIexample");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FromCliProfile {
    path: Option<PathBuf>,
    profile: Option<String>,
}

/// `~/.alibabacloud/credentials`, or `~/.alibabacloud/credentials.ini`: sections of the types
/// `access_key` and `sts`.
///
/// The official libraries look for the one or the other; this looks for both.
/// `ALIBABA_CLOUD_CREDENTIALS_FILE` names another file. The section is the one named here, else
/// `ALIBABA_CLOUD_PROFILE`, else `default`.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::green::{FromIniProfile, ProvideCredentials};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("credentials.ini");
/// std::fs::write(&path, "[scanner]\ntype = access_key\n\
///     access_key_id = LTAIexample\naccess_key_secret = example-secret\n")?;
/// let source = FromIniProfile::new().with_path(&path).with_profile("scanner");
/// let credentials = source.provide().await?.expect("the file has this section");
/// assert_eq!(credentials.access_key_id(), "LTAIexample");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FromIniProfile {
    path: Option<PathBuf>,
    profile: Option<String>,
}

macro_rules! profile_settings {
    ($type:ident) => {
        impl $type {
            /// Reads the usual file and profile.
            pub const fn new() -> Self {
                Self {
                    path: None,
                    profile: None,
                }
            }

            /// Reads this file.
            #[must_use]
            pub fn with_path(mut self, path: &Path) -> Self {
                self.path = Some(path.to_owned());
                self
            }

            /// Reads this profile.
            #[must_use]
            pub fn with_profile(mut self, name: &str) -> Self {
                self.profile = Some(name.to_owned());
                self
            }

            fn profile_name(&self) -> Option<String> {
                self.profile
                    .clone()
                    .or_else(|| variable("ALIBABA_CLOUD_PROFILE"))
            }
        }
    };
}

profile_settings!(FromCliProfile);
profile_settings!(FromIniProfile);

impl ProvideCredentials for FromCliProfile {
    fn provide(&self) -> Provided<'_> {
        let source = self.clone();
        Box::pin(async move { off_the_runtime(move || source.read()).await })
    }
}

impl ProvideCredentials for FromIniProfile {
    fn provide(&self) -> Provided<'_> {
        let source = self.clone();
        Box::pin(async move { off_the_runtime(move || source.read()).await })
    }
}

impl FromCliProfile {
    fn read(&self) -> Result<Option<Credentials>, Error> {
        let named = self.path.is_some();
        let disabled = variable("ALIBABA_CLOUD_CLI_PROFILE_DISABLED");
        // The variable is about the default file, not about one that the caller named.
        if !named && disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let path = self.path.clone().or_else(|| at_home(".aliyun/config.json"));
        let Some((path, text)) = read_first(path.as_slice(), named)? else {
            return Ok(None);
        };
        let file = Object::parse(text.as_bytes())
            .ok_or_else(|| unusable(&path, "it is not a JSON object"))?;
        let name = self
            .profile_name()
            .or_else(|| file.text("current").map(str::to_owned))
            .unwrap_or_else(|| "default".to_owned());
        let profiles = file.objects("profiles");
        let Some(profile) = profiles.iter().find(|p| p.text("name") == Some(&name)) else {
            return Err(no_profile(&path, &name));
        };
        let text = |name| profile.text(name).unwrap_or_default();
        let token = match text("mode") {
            "AK" => None,
            "StsToken" => Some(text("sts_token")),
            // Skipping the file could use the keys of another account.
            mode => {
                return Err(unusable(
                    &path,
                    &format!("mode {} is not read", harmless(mode, 40)),
                ));
            }
        };
        credentials(
            &path,
            text("access_key_id"),
            text("access_key_secret"),
            token,
        )
    }
}

impl FromIniProfile {
    fn read(&self) -> Result<Option<Credentials>, Error> {
        let named = self
            .path
            .clone()
            .or_else(|| variable("ALIBABA_CLOUD_CREDENTIALS_FILE").map(PathBuf::from));
        let is_named = named.is_some();
        let paths: Vec<PathBuf> = match named {
            Some(path) => vec![path],
            None => ["credentials", "credentials.ini"]
                .iter()
                .filter_map(|name| at_home(&format!(".alibabacloud/{name}")))
                .collect(),
        };
        let Some((path, text)) = read_first(&paths, is_named)? else {
            return Ok(None);
        };
        let name = self.profile_name().unwrap_or_else(|| "default".to_owned());
        let section = ini_section(&text, &name).ok_or_else(|| no_profile(&path, &name))?;
        let value = |wanted: &str| {
            let found = section.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| *value).unwrap_or_default()
        };
        let token = match value("type") {
            "access_key" => None,
            "sts" => Some(value("security_token")),
            // Skipping the file could use the keys of another account.
            other => {
                let what = format!("type {} is not read", harmless(other, 40));
                return Err(unusable(&path, &what));
            }
        };
        credentials(
            &path,
            value("access_key_id"),
            value("access_key_secret"),
            token,
        )
    }
}

/// The names and values of a section; `None` when there is no such section.
fn ini_section<'a>(text: &'a str, wanted: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines() {
        // `#` and `;` begin a comment at the start of a line or after white space: secrets may hold
        // both.
        let line = [" #", "\t#", " ;", "\t;"]
            .iter()
            .filter_map(|mark| line.split_once(mark))
            .map(|(before, _)| before)
            .min_by_key(|before| before.len())
            .unwrap_or(line)
            .trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            inside = name.trim() == wanted;
            if inside {
                found.get_or_insert_with(Vec::new);
            }
        } else if inside && let Some((name, value)) = line.split_once('=') {
            found
                .get_or_insert_with(Vec::new)
                .push((name.trim(), value.trim()));
        }
    }
    found
}

fn credentials(
    path: &Path,
    id: &str,
    secret: &str,
    token: Option<&str>,
) -> Result<Option<Credentials>, Error> {
    let mut credentials = Credentials::new(id, Secret::new(secret));
    if let Some(token) = token {
        credentials = credentials.with_security_token(token);
    }
    credentials
        .checked(&harmless(&path.to_string_lossy(), 200))
        .map(Some)
}

/// The first of the files that exists. One that was named must exist.
fn read_first(paths: &[PathBuf], named: bool) -> Result<Option<(PathBuf, String)>, Error> {
    for path in paths {
        match read(path) {
            Ok(text) => return Ok(Some((path.clone(), text))),
            // A default path that does not exist means no credentials; other errors would hide the
            // user's own.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !named => {}
            Err(error) => {
                return Err(unusable(path, "it cannot be read").with_source(error));
            }
        }
    }
    Ok(None)
}

/// Reads a file of at most a megabyte.
fn read(path: &Path) -> io::Result<String> {
    const MAX: u64 = 1 << 20;
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)?
        .take(MAX + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX) {
        return Err(invalid("it is too large"));
    }
    // Editors on Windows write the mark, which would become part of the first name.
    let text = std::str::from_utf8(without_mark(&bytes)).map_err(|_| invalid("it is not UTF-8"))?;
    Ok(text.to_owned())
}

fn at_home(name: &str) -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(name))
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(
            Error::new(ErrorKind::Credentials, "reading credentials was cut short")
                .with_source(error),
        ),
    }
}

fn unusable(path: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Credentials,
        format!(
            "credentials file cannot be used: {what}: {}",
            harmless(&path.to_string_lossy(), 200)
        ),
    )
}

fn no_profile(path: &Path, name: &str) -> Error {
    unusable(path, &format!("it has no profile {}", harmless(name, 80)))
}
