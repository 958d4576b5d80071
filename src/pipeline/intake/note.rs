//! Checks one line and builds its record for the ledger.

use std::path::{Path, PathBuf};

use super::super::{EarlierCheck, Line, Pipeline, Subject, facts, failure, files};
use crate::{
    image_url::{ImageUrl, masked},
    inspect::Depth,
    ledger::{Key, Known, Location, NewImage, Reason, Source},
    local_file::Folders,
    verdict::{Decision, Verdict},
};

pub(in super::super) fn check(pipeline: &Pipeline, line: Line) -> NewImage {
    let Line {
        subject,
        mut source,
    } = line;
    let noted = match subject {
        Subject::Url(text) => of_url(pipeline, text, None),
        Subject::CheckedUrl { url, check } => of_url(pipeline, url, Some(check)),
        Subject::File(path) => of_file(pipeline, &path, None, &mut source),
        Subject::FileBelow { path, folders } => {
            of_file(pipeline, &path, Some(&folders), &mut source)
        }
        Subject::Unusable { text, reason } => of_nothing(pipeline, &text, reason),
    };
    let Noted {
        key,
        location,
        known,
        facts,
    } = noted;
    NewImage {
        key,
        location,
        known,
        facts,
        source,
        deliver_again: pipeline.settings.deliver_again,
    }
}

struct Noted {
    key: Key,
    location: Location,
    known: Known,
    facts: Option<String>,
}

impl Noted {
    fn rejected<S>(
        pipeline: &Pipeline,
        (key, location): (Key, Location),
        verdict: &Verdict<S>,
        reason: Reason,
    ) -> Self {
        Self {
            key,
            location,
            known: Known::Rejected(reason),
            // A rejected image has no frames to scan.
            facts: Some(facts::of(verdict, &pipeline.settings, 0)),
        }
    }
}

fn of_url(pipeline: &Pipeline, text: String, check: Option<EarlierCheck>) -> Noted {
    let url = match ImageUrl::parse(&text) {
        Ok(url) => url,
        Err(error) => {
            // There is no URL to normalize, so the text identifies the line.
            let key = Key::of_text(&pipeline.scope, &text);
            let verdict = Verdict::of_text(text.clone(), &error);
            let reason = failure::reason(&verdict)
                .unwrap_or_else(|| failure::reason_of("url/malformed", error.to_string()));
            return Noted::rejected(pipeline, (key, masked_location(&text)), &verdict, reason);
        }
    };
    let key = Key::of_url(&pipeline.scope, &url);
    let verdict = pipeline.settings.requirements.judge_url(url);
    match failure::reason(&verdict) {
        Some(reason) if verdict.decision() == Decision::Reject => {
            Noted::rejected(pipeline, (key, masked_location(&text)), &verdict, reason)
        }
        _ => Noted {
            key,
            location: Location::Url(text),
            known: Known::Checked,
            facts: check.and_then(|check| facts::of_earlier(check, &pipeline.settings)),
        },
    }
}

fn of_file(
    pipeline: &Pipeline,
    given: &Path,
    folders: Option<&Folders>,
    source: &mut Source,
) -> Noted {
    // The next run may have another working directory.
    let path = std::path::absolute(given).unwrap_or_else(|_| PathBuf::from(given));
    // Also of a path that is the location: another file with the same bytes may take its place, and the
    // same line must be recognized then.
    if path != given || given.to_str().is_some() {
        let text = || given.to_string_lossy().into_owned();
        source.text.get_or_insert_with(text);
    }
    let requirements = &pipeline.settings.requirements;
    // The key needs the hash and the format only; the probing stage checks a hashed file in full.
    let depths = (Depth::Header, pipeline.probe.depth());
    let checked = files::check(&path, folders, depths, requirements);
    // Without the bytes, the key is that of the path.
    let unread = Key::of_path(&pipeline.scope, &path);
    let location = Location::File(path);
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => {
            return Noted {
                key: unread,
                location,
                known: Known::Rejected(files::unreadable(&error)),
                facts: None,
            };
        }
    };
    if let Some(key) = checked.key(&pipeline.scope) {
        return Noted {
            key,
            location,
            known: Known::Checked,
            facts: None,
        };
    }
    let verdict = &checked.verdict;
    let reason = failure::reason(verdict)
        .unwrap_or_else(|| failure::reason_of("image/too-large", "too large".to_owned()));
    Noted::rejected(pipeline, (unread, location), verdict, reason)
}

/// Returns the location of a rejected image without passwords, which the ledger need not store.
fn masked_location(text: &str) -> Location {
    Location::Url(masked(text).into_owned())
}

fn of_nothing(pipeline: &Pipeline, text: &str, reason: Reason) -> Noted {
    // The key includes the reason, because the same text may be unusable for several reasons.
    let Reason { class, message } = &reason;
    let identity = format!("{class}\n{message}\n{text}");
    Noted {
        key: Key::of_text(&pipeline.scope, &identity),
        location: masked_location(text),
        known: Known::Rejected(reason),
        facts: None,
    }
}
