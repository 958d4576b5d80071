//! The fields of one record of CSV or TSV, found byte by byte.

/// Finds the fields of one record.
pub(super) struct Scan {
    delimiter: u8,
    has_quotes: bool,
    state: State,
    /// How many have ended.
    pub(super) fields: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a field.
    Start,
    Plain,
    Quoted,
    /// After a quote within quotes, which closes them or is the first of two.
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    /// The byte ends the record.
    End,
    Malformed,
}

impl Scan {
    pub(super) const fn new(delimiter: u8, has_quotes: bool) -> Self {
        Self {
            delimiter,
            has_quotes,
            state: State::Start,
            fields: 0,
        }
    }

    pub(super) fn push(&mut self, byte: u8, field: &mut impl FnMut(usize, &[u8])) -> Step {
        if self.state == State::Quoted {
            if byte == b'"' {
                self.state = State::Closing;
            } else {
                field(self.fields, &[byte]);
            }
            return Step::More;
        }
        let is_line_end = byte == b'\n';
        if byte == self.delimiter || is_line_end {
            field(self.fields, b"");
            self.fields = self.fields.saturating_add(1);
            self.state = State::Start;
            return if is_line_end { Step::End } else { Step::More };
        }
        self.state = match (self.state, byte) {
            (State::Start, b'"') if self.has_quotes => {
                self.state = State::Quoted;
                return Step::More;
            }
            (State::Closing, b'"') => State::Quoted,
            (State::Closing, _) => return Step::Malformed,
            _ => State::Plain,
        };
        field(self.fields, &[byte]);
        Step::More
    }

    /// Whether a quote was opened and not closed.
    pub(super) const fn is_quoted(&self) -> bool {
        matches!(self.state, State::Quoted)
    }
}
