//! From sources to the pipeline's lines.

use crate::{
    cli::source::{Item, Origin, Sources, What},
    ledger::{Reason, Source},
    pipeline::{Line, Subject},
};

/// What arguments are kept under, which stand in no list.
pub(crate) const ARGUMENTS: &str = "command line";

/// The class of a list's line that holds no source.
pub(super) const BAD_LINE: &str = "list/bad-line";

/// The class of a source that is no file that can be read.
const UNREADABLE: &str = "file/unreadable";

/// Sources as the pipeline takes them, read as they are asked for.
pub(crate) struct Lines {
    sources: Sources,
}

impl Lines {
    pub(crate) fn new(sources: Sources) -> Self {
        Self { sources }
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        self.sources.next().map(line)
    }
}

fn line(item: Item) -> Line {
    let Item {
        source: text,
        what,
        origin,
    } = item;
    let mut source = place(origin);
    let subject = match what {
        What::Url => Subject::Url(text),
        What::File(path) => {
            source.text = Some(text);
            Subject::File(path)
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

fn place(origin: Origin) -> Source {
    let Origin {
        list,
        line,
        data_id,
    } = origin;
    Source {
        origin: list.map_or_else(|| ARGUMENTS.to_owned(), |list| list.as_ref().to_owned()),
        line,
        data_id: data_id.map(|data_id| data_id.to_string()),
        text: None,
    }
}
