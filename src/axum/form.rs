//! The form of an upload: which of its fields is the image.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::{
    Problem,
    body::Upstream,
    multipart::{Event, Field, Multipart},
};
use crate::format::{Sniffed, sniff};

/// A form with the image in one of its fields.
#[derive(Debug)]
pub(super) struct Form {
    parser: Multipart,
    field: String,
    /// The limit on bytes other than the image's, and the rest of it.
    other_bytes: u64,
    left: u64,
    stage: Stage,
    /// The names of the fields before the image.
    present: Vec<String>,
    /// Whether one of them is a file under another name.
    has_other_file: bool,
    /// The first bytes of a field that may be the image.
    head: Vec<u8>,
    /// The image's first bytes, if they were looked at.
    first: Option<Bytes>,
}

/// How many names of fields are kept, and how many characters of each.
const MAX_NAMES: usize = 16;
const MAX_NAME: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Other fields, or none yet.
    Before,
    /// A field of the image's name that its header does not call a file.
    Doubtful,
    Image,
    /// The image ended; the form has not.
    After,
    /// The form ended; the request may not have.
    Epilogue,
}

impl Form {
    /// `field` names the image's field.
    pub(super) fn new(parser: Multipart, field: String, other_bytes: u64) -> Self {
        Self {
            parser,
            field,
            other_bytes,
            left: other_bytes,
            stage: Stage::Before,
            present: Vec::new(),
            has_other_file: false,
            head: Vec::new(),
            first: None,
        }
    }

    /// Reads up to the image's field. Forms may have more than one field of its name, such as the
    /// metadata that `FilePond` sends with the file: the image is the one that is a file by its
    /// header, or else by its first bytes.
    pub(super) fn poll_field(
        &mut self,
        upstream: &mut Upstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Field, Problem>> {
        loop {
            let event = match ready!(self.poll_event(upstream, cx)) {
                // A large file under another name is the likely cause, and the more helpful error.
                Err(Problem::FormTooLarge { .. }) if self.has_other_file => {
                    return Poll::Ready(Err(self.missing_field()));
                }
                event => event?,
            };
            match event {
                Event::Field(field) if field.name == self.field && field.is_file() => {
                    self.stage = Stage::Image;
                    return Poll::Ready(Ok(field));
                }
                Event::Field(field) => {
                    self.note(&field);
                    if field.name == self.field {
                        self.stage = Stage::Doubtful;
                    }
                }
                Event::Data(data) if self.stage == Stage::Doubtful => {
                    if self.is_image(&data, Stage::Before)? {
                        self.stage = Stage::Image;
                        self.first = Some(std::mem::take(&mut self.head).into());
                        return Poll::Ready(Ok(Field {
                            name: self.field.clone(),
                            ..Field::default()
                        }));
                    }
                }
                Event::FieldEnd if self.stage == Stage::Doubtful => self.pass_by(Stage::Before)?,
                Event::End => return Poll::Ready(Err(self.missing_field())),
                Event::Data(_) | Event::FieldEnd | Event::NeedMore => {}
            }
        }
    }

    /// Whether a doubtful field's next bytes show that it is an image. If they show that it is
    /// not, the form is at `stage` again.
    fn is_image(&mut self, data: &[u8], stage: Stage) -> Result<bool, Problem> {
        self.head.extend_from_slice(data);
        match sniff(&self.head) {
            Sniffed::NeedMore => Ok(false),
            Sniffed::Is(_) => Ok(true),
            Sniffed::Markup | Sniffed::Footer | Sniffed::Unknown => {
                self.pass_by(stage).map(|()| false)
            }
        }
    }

    /// The doubtful field is not the image.
    fn pass_by(&mut self, stage: Stage) -> Result<(), Problem> {
        self.stage = stage;
        let head = std::mem::take(&mut self.head);
        self.spend(head.len())
    }

    fn note(&mut self, field: &Field) {
        self.has_other_file |= field.is_file();
        // They serve one error text, however many fields the form has.
        if self.present.len() < MAX_NAMES {
            self.present
                .push(field.name.chars().take(MAX_NAME).collect());
        }
    }

    fn missing_field(&mut self) -> Problem {
        Problem::MissingField {
            name: self.field.clone(),
            present: std::mem::take(&mut self.present),
        }
    }

    /// The image's next bytes: `None` once at its end, and again at the request's.
    pub(super) fn poll_image(
        &mut self,
        upstream: &mut Upstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Problem>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Ok(Some(first)));
        }
        loop {
            if self.stage == Stage::Epilogue {
                // It is read to its end so that the connection can be used again.
                match ready!(upstream.poll_chunk(cx))? {
                    Some(chunk) => self.spend(chunk.len())?,
                    None => return Poll::Ready(Ok(None)),
                }
                continue;
            }
            match ready!(self.poll_event(upstream, cx))? {
                Event::Data(data) if self.stage == Stage::Image => {
                    return Poll::Ready(Ok(Some(data)));
                }
                Event::FieldEnd if self.stage == Stage::Image => {
                    self.stage = Stage::After;
                    return Poll::Ready(Ok(None));
                }
                Event::Field(field) if field.name == self.field && !field.is_file() => {
                    self.stage = Stage::Doubtful;
                }
                Event::Data(data) if self.stage == Stage::Doubtful => {
                    if self.is_image(&data, Stage::After)? {
                        let name = self.field.clone();
                        return Poll::Ready(Err(Problem::TwoFields { name }));
                    }
                }
                Event::FieldEnd if self.stage == Stage::Doubtful => self.pass_by(Stage::After)?,
                Event::Field(field) if field.name == self.field => {
                    return Poll::Ready(Err(Problem::TwoFields { name: field.name }));
                }
                Event::End => self.stage = Stage::Epilogue,
                Event::Field(_) | Event::Data(_) | Event::FieldEnd | Event::NeedMore => {}
            }
        }
    }

    fn poll_event(
        &mut self,
        upstream: &mut Upstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Event, Problem>> {
        loop {
            let event = self
                .parser
                .next()
                .map_err(|reason| Problem::Malformed { reason })?;
            // Headers count as well: a form of a million empty fields has no data to limit.
            let framing = self.parser.take_framing();
            self.spend(framing)?;
            match event {
                Event::NeedMore => {
                    let Some(chunk) = ready!(upstream.poll_chunk(cx))? else {
                        let reason = "it ends before its closing boundary";
                        return Poll::Ready(Err(Problem::Malformed { reason }));
                    };
                    self.parser.push(chunk);
                }
                Event::Data(data) if !matches!(self.stage, Stage::Image | Stage::Doubtful) => {
                    self.spend(data.len())?;
                }
                event => return Poll::Ready(Ok(event)),
            }
        }
    }

    /// Counts what is not the image.
    fn spend(&mut self, bytes: usize) -> Result<(), Problem> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Problem::FormTooLarge {
                limit: self.other_bytes,
            }),
        }
    }
}
