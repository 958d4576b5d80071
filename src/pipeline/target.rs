//! What a line names.

use std::path::Path;

use super::Subject;
use crate::{
    image_url::{ImageUrl, UrlError},
    local_file::Folders,
};

/// What a line names, with its URL parsed.
pub(super) enum Target<'a> {
    Url(ImageUrl),
    Malformed {
        text: &'a str,
        error: UrlError,
    },
    File {
        path: &'a Path,
        folders: Option<&'a Folders>,
    },
    /// With the reason.
    Unusable(&'a str),
}

impl<'a> Target<'a> {
    pub(super) fn of(subject: &'a Subject) -> Self {
        match subject {
            Subject::Url(text) | Subject::CheckedUrl { url: text, .. } => {
                match ImageUrl::parse(text) {
                    Ok(url) => Self::Url(url),
                    Err(error) => Self::Malformed { text, error },
                }
            }
            Subject::File(path) => Self::File {
                path,
                folders: None,
            },
            Subject::FileBelow { path, folders } => Self::File {
                path,
                folders: Some(folders),
            },
            Subject::Unusable { reason, .. } => Self::Unusable(&reason.message),
        }
    }
}
