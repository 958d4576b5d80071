//! Local files under a URL: a folder, and single files that are published by name.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::{Component, Path, PathBuf},
    sync::Mutex,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};
use http_body_util::Channel;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{format::Format, local_file};

/// The characters that are percent-encoded in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Size of the chunks in which a file is read, in bytes.
const PIECE: usize = 64 * 1024;

/// The served files.
pub(super) struct Files {
    /// The folder, without symbolic links in its own path.
    root: Option<PathBuf>,
    published: Mutex<Published>,
    /// A part of every file's path that cannot be guessed: every user and every web page on this
    /// machine can send requests to a loopback port.
    secret: String,
}

/// Without the secret.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// Single files, by the number in their URL and the other way round.
#[derive(Default)]
struct Published {
    files: Vec<PathBuf>,
    numbers: HashMap<PathBuf, usize>,
}

impl Files {
    pub(super) fn new(folder: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            root: folder.map(Path::canonicalize).transpose()?,
            published: Mutex::default(),
            secret: Uuid::new_v4().simple().to_string(),
        })
    }

    /// The path of the folder's URL.
    pub(super) fn folder_path(&self) -> Option<String> {
        let secret = &self.secret;
        self.root.as_ref().map(|_| format!("/files/{secret}"))
    }

    /// The path of a URL for a file below the folder, given below it or whole.
    pub(super) fn path_of(&self, file: &Path) -> Option<String> {
        let root = self.root.as_ref()?;
        let whole = root.join(file).canonicalize().ok()?;
        let below = whole.strip_prefix(root).ok()?;
        let mut path = self.folder_path()?;
        for component in below.components() {
            let Component::Normal(name) = component else {
                return None;
            };
            path.push('/');
            path.extend(utf8_percent_encode(name.to_str()?, ESCAPED));
        }
        (below.components().count() > 0 && visible(below)).then_some(path)
    }

    /// Serves one file from any folder and returns its path, which ends in the file's name. The
    /// same file keeps its path.
    pub(super) fn publish(&self, file: &Path) -> io::Result<String> {
        let whole = file.canonicalize()?;
        let name = file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut published = self.published.lock().expect("no holder panics");
        let next = published.files.len();
        let number = *published.numbers.entry(whole.clone()).or_insert(next);
        if number == next {
            published.files.push(whole);
        }
        Ok(format!(
            "/published/{}/{number}/{}",
            self.secret,
            utf8_percent_encode(&name, ESCAPED)
        ))
    }

    /// The file of `/files/SECRET/…`: below the folder, not hidden, not reached by a link that
    /// leads out.
    pub(super) fn below(&self, encoded: &str) -> Option<PathBuf> {
        let root = self.root.as_ref()?;
        let mut path = root.clone();
        for part in self.behind_secret(encoded)?.split('/') {
            let name = percent_decode_str(part).decode_utf8().ok()?;
            // Also excludes `.` and `..`.
            let hidden = name.is_empty() || name.starts_with('.');
            // An encoded separator, or a drive or stream of Windows (`:`), could lead out of the
            // folder.
            if hidden || name.contains(['/', '\\', '\0', ':']) {
                return None;
            }
            path.push(&*name);
        }
        let whole = path.canonicalize().ok()?;
        let below = whole.strip_prefix(root).ok()?;
        // Checked again after links were resolved: one may lead to a hidden file of the folder.
        visible(below).then_some(whole)
    }

    /// Returns the file of `/published/SECRET/NUMBER/…`.
    pub(super) fn published(&self, encoded: &str) -> Option<PathBuf> {
        let (number, _) = self.behind_secret(encoded)?.split_once('/')?;
        let number: usize = number.parse().ok()?;
        let published = self.published.lock().expect("no holder panics");
        published.files.get(number).cloned()
    }

    /// The part of a path after the secret, if the secret is right.
    fn behind_secret<'a>(&self, encoded: &'a str) -> Option<&'a str> {
        let (secret, rest) = encoded.split_once('/')?;
        // As hashes, so that the time of the comparison depends on nothing secret.
        (Sha256::digest(secret) == Sha256::digest(&self.secret)).then_some(rest)
    }
}

fn visible(below: &Path) -> bool {
    below.components().all(|component| match component {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    })
}

/// Responds with a file, or with the requested part of it.
pub(super) async fn serve(method: &Method, headers: &HeaderMap, path: PathBuf) -> Response<Body> {
    let media_type = media_type(&path);
    let opened = tokio::task::spawn_blocking(move || open(&path)).await;
    let Ok(Ok((mut file, len))) = opened else {
        return empty(StatusCode::NOT_FOUND);
    };
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let (status, range) = match asked.and_then(|text| parse_range(text, len)) {
        None => (StatusCode::OK, 0..len),
        Some(Ok(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Err(Unsatisfiable)) => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{len}"),
            );
            return response;
        }
    };
    let mut response = empty(status);
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::CONTENT_TYPE, media_type);
    let length = range.end - range.start;
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{len}", range.start, range.end - 1);
        set(&mut response, header::CONTENT_RANGE, &text);
    }
    if method != Method::HEAD && length > 0 {
        if file.seek(SeekFrom::Start(range.start)).is_err() {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        }
        *response.body_mut() = stream(file, length);
    }
    response
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = local_file::open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

fn media_type(path: &Path) -> &'static str {
    path.extension()
        .and_then(|extension| Format::from_extension(extension.to_str()?))
        .map_or("application/octet-stream", Format::media_type)
}

struct Unsatisfiable;

/// The range that a `Range` header asks for (RFC 9110 14.2); `None` for what is to be ignored:
/// other units, several ranges, nonsense.
fn parse_range(text: &str, len: u64) -> Option<Result<Range<u64>, Unsatisfiable>> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => len.saturating_sub(suffix)..len,
        (Some(first), None) if last.is_empty() => first..len,
        (Some(first), Some(last)) if first <= last => first..len.min(last.saturating_add(1)),
        _ => return None,
    };
    Some(if range.is_empty() {
        Err(Unsatisfiable)
    } else {
        Ok(range)
    })
}

/// The next `length` bytes of a file, piece by piece as the client takes them.
fn stream(file: File, length: u64) -> Body {
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    tokio::spawn(async move {
        let mut rest = file.take(length);
        loop {
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; PIECE];
                let count = rest.read(&mut piece)?;
                piece.truncate(count);
                Ok::<_, io::Error>((rest, piece))
            })
            .await;
            let Ok(Ok((after, piece))) = read else {
                // Not just dropped, which would end the body as if it were complete.
                sender.abort(io::ErrorKind::Other.into());
                return;
            };
            if piece.is_empty() || sender.send_data(piece.into()).await.is_err() {
                return;
            }
            rest = after;
        }
    });
    Body::new(body)
}

pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(super) fn set(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("digits and words are header text");
    response.headers_mut().insert(name, value);
}
