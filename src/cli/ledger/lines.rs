//! From sources to the pipeline's lines.

use std::{fs::File, path::PathBuf, sync::Arc};

use crate::{
    cli::{
        exit::reason,
        list::place_of,
        name,
        source::{Item, Origin, Sources, What},
    },
    ledger::{Reason, Source},
    pipeline::{Line, Subject},
    sandbox::Sandbox,
};

/// The origin of arguments, which are in no list.
pub(crate) const ARGUMENTS: &str = "command line";

/// The class of a list's line without a source.
pub(super) const BAD_LINE: &str = "list/bad-line";

/// The class of a file that cannot be read.
pub(super) const UNREADABLE: &str = "file/unreadable";

/// The class of a file in a ledger that other machines use.
const NOT_SHARED: &str = "file/not-shared";

const NOT_SHARED_WHY: &str = "other machines use the ledger and may not have this file: list it with \
    --from, and name a folder that every worker has with --files-under";

/// Sources in the form that the pipeline takes, read on demand.
pub(crate) struct Lines {
    sources: Sources,
    /// Other machines use the ledger, and do not have this one's files.
    is_shared: bool,
    sandbox: Option<Arc<Sandbox>>,
}

impl Lines {
    pub(crate) fn new(sources: Sources, is_shared: bool) -> Self {
        Self {
            sources,
            is_shared,
            sandbox: None,
        }
    }

    /// Whether a line of a list holds no source at all.
    pub(crate) fn is_bad(line: &Line) -> bool {
        matches!(&line.subject, Subject::Unusable { reason, .. } if reason.class == BAD_LINE)
    }

    /// The line or row of the list, if it comes from one.
    pub(crate) fn line_of_list(line: &Line) -> Option<u64> {
        (line.source.origin != ARGUMENTS).then_some(line.source.line)
    }

    /// Has a sandbox serve local files, because it makes up an outcome from a file's name, which an
    /// upload does not keep.
    pub(super) fn served_by(self, sandbox: Option<Arc<Sandbox>>) -> Self {
        Self { sandbox, ..self }
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let mut line = line(self.sources.next()?);
        if let (Some(sandbox), Subject::File(path)) = (&self.sandbox, &line.subject) {
            line.subject = serve(sandbox, path);
        }
        // After the sandbox, which turns files into URLs that every worker can download.
        if let (true, Subject::File(path)) = (self.is_shared, &line.subject) {
            line.subject = Subject::Unusable {
                text: name::shown(path),
                reason: Reason {
                    class: NOT_SHARED.to_owned(),
                    message: NOT_SHARED_WHY.to_owned(),
                },
            };
        }
        Some(line)
    }
}

/// The URL of a local file that the sandbox serves.
fn serve(sandbox: &Sandbox, path: &PathBuf) -> Subject {
    let published = match File::open(path) {
        Ok(_) => sandbox.publish(path).map_err(|error| error.report()),
        Err(error) => Err(format!("cannot read: {}", reason(&error))),
    };
    match published {
        Ok(url) => Subject::Url(url),
        Err(message) => Subject::Unusable {
            text: name::shown(path),
            reason: Reason {
                class: UNREADABLE.to_owned(),
                message,
            },
        },
    }
}

fn line(item: Item) -> Line {
    let Item {
        source: text,
        what,
        origin,
        check,
    } = item;
    let mut source = place(origin);
    let subject = match what {
        What::Url => match check {
            Some(check) => Subject::CheckedUrl { url: text, check },
            None => Subject::Url(text),
        },
        What::File { path, below } => {
            source.text = Some(text);
            match below {
                Some(folders) => Subject::FileBelow { path, folders },
                None => Subject::File(path),
            }
        }
        What::Unusable(unusable) => {
            let class = if unusable.is_bad_line {
                BAD_LINE
            } else {
                UNREADABLE
            };
            let reason = Reason {
                class: class.to_owned(),
                message: unusable.reason,
            };
            Subject::Unusable { text, reason }
        }
    };
    Line { subject, source }
}

/// Adds the line of the list to why a file was not read, unless it is there.
pub(crate) fn located(why: String, list: &str, line: u64) -> String {
    if list == ARGUMENTS || why.starts_with(list) {
        return why;
    }
    format!("{}: {why}", place_of(list, line))
}

fn place(origin: Origin) -> Source {
    let Origin {
        place,
        line,
        data_id,
    } = origin;
    Source {
        origin: place.map_or_else(
            || ARGUMENTS.to_owned(),
            |place| place.list.as_ref().to_owned(),
        ),
        line,
        data_id: data_id.map(|data_id| data_id.to_string()),
        text: None,
    }
}
