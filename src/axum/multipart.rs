//! `multipart/form-data` (RFC 7578 over RFC 2046, 5.1) as a push parser: chunks in, events out. The
//! fields' bytes are handed on as slices of the chunks; only what a chunk's end leaves open (a
//! part's header, the beginning of a delimiter) is held, and that is bounded.
//!
//! The libraries for it hold an unbounded buffer: a body without its boundary is kept whole and
//! searched again from its start at every chunk.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use bytes::{Buf, Bytes};
use memchr::{memchr, memmem, memrchr};

/// Maximum length of the preamble, and of a part's header.
const MAX_HEAD: usize = 16 << 10;

const NO_DISPOSITION: &str = "a field has no Content-Disposition";

/// RFC 2046, 5.1.1: 1 to 70 of these characters.
const MAX_BOUNDARY: usize = 70;

/// The next event of the parser.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Nothing before more bytes are pushed.
    NeedMore,
    /// A field begins.
    Field(Field),
    /// The field's next bytes.
    Data(Bytes),
    /// The field ended.
    FieldEnd,
    /// The form ended; what follows is of no meaning.
    End,
}

/// The header of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
}

impl Field {
    /// Whether its header alone says that it is a file. An input for a file that the user left
    /// empty has an empty file name (HTML, 4.10.21.4).
    pub(super) fn is_file(&self) -> bool {
        let is_image = |media_type: &String| {
            let head = media_type.trim_start().as_bytes().first_chunk();
            head.is_some_and(|head: &[u8; 6]| head.eq_ignore_ascii_case(b"image/"))
        };
        self.file_name.as_ref().is_some_and(|name| !name.is_empty())
            || self.content_type.as_ref().is_some_and(is_image)
    }
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Preamble,
    /// After a delimiter.
    Delimited,
    Header,
    Data,
    Epilogue,
}

/// The parser.
#[derive(Debug)]
pub(super) struct Multipart {
    /// `\r\n--boundary`
    delimiter: memmem::Finder<'static>,
    rest: Bytes,
    stage: Stage,
    /// How many bytes were passed that are no field's.
    framing: usize,
}

impl Multipart {
    /// A parser for this `Content-Type`, if it is a form's.
    pub(super) fn new(content_type: &str) -> Option<Self> {
        let boundary = boundary(content_type)?;
        let delimiter = [b"\r\n--", boundary.as_slice()].concat();
        Some(Self {
            // Prepared once, because every chunk is searched for it.
            delimiter: memmem::Finder::new(&delimiter).into_owned(),
            rest: Bytes::new(),
            stage: Stage::Preamble,
            framing: 0,
        })
    }

    /// Returns the number of bytes outside of fields since the last call: headers, boundaries,
    /// preamble and epilogue.
    pub(super) const fn take_framing(&mut self) -> usize {
        std::mem::replace(&mut self.framing, 0)
    }

    /// Reads the form's next bytes. Call it after [`Event::NeedMore`].
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.rest = if self.rest.is_empty() {
            chunk
        } else {
            // Rare: a header or a delimiter is divided between two chunks.
            Bytes::from([self.rest.as_ref(), chunk.as_ref()].concat())
        };
    }

    /// Returns the next event.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the form. Later events have no meaning.
    pub(super) fn next(&mut self) -> Result<Event, &'static str> {
        loop {
            match self.stage {
                Stage::Preamble => {
                    if !self.skip_preamble()? {
                        return Ok(Event::NeedMore);
                    }
                    self.stage = Stage::Delimited;
                }
                Stage::Delimited => match self.delimited()? {
                    Some(stage) => self.stage = stage,
                    None => return Ok(Event::NeedMore),
                },
                Stage::Header => {
                    let Some(field) = self.header()? else {
                        return Ok(Event::NeedMore);
                    };
                    self.stage = Stage::Data;
                    return Ok(Event::Field(field));
                }
                Stage::Data => return Ok(self.data()),
                Stage::Epilogue => {
                    self.pass(self.rest.len());
                    return Ok(Event::End);
                }
            }
        }
    }

    /// Whether the first boundary was found. It needs no line break before it where it opens the
    /// form.
    fn skip_preamble(&mut self) -> Result<bool, &'static str> {
        let opening = self.delimiter.needle().get(2..).unwrap_or_default();
        if self.rest.starts_with(opening) {
            self.pass(opening.len());
            return Ok(true);
        }
        if let Some(at) = self.delimiter.find(self.head()) {
            self.pass(at.saturating_add(self.delimiter.needle().len()));
            return Ok(true);
        }
        if self.rest.len() >= MAX_HEAD {
            return Err("the boundary of its Content-Type is not where the form begins");
        }
        Ok(false)
    }

    /// Whether a field or the end follows a delimiter: `--`, or padding and a line break.
    fn delimited(&mut self) -> Result<Option<Stage>, &'static str> {
        if self.rest.starts_with(b"--") {
            return Ok(Some(Stage::Epilogue));
        }
        let padding = self
            .head()
            .iter()
            .take_while(|byte| matches!(**byte, b' ' | b'\t'))
            .count();
        match self.head().get(padding..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {
                self.pass(padding.saturating_add(2));
                Ok(Some(Stage::Header))
            }
            [] | [b'\r'] => self.wait(),
            [b'-'] if padding == 0 => self.wait(),
            _ => Err("a boundary is not followed by a line break"),
        }
    }

    fn header(&mut self) -> Result<Option<Field>, &'static str> {
        // An empty header: the search below would find the end of the next part's.
        if self.rest.starts_with(b"\r\n") {
            return Err(NO_DISPOSITION);
        }
        let Some(end) = memmem::find(self.head(), b"\r\n\r\n") else {
            return self.wait();
        };
        let header = self.rest.slice(..end);
        self.pass(end.saturating_add(4));
        field(&header).map(Some)
    }

    /// Passes bytes that belong to no field.
    fn pass(&mut self, len: usize) {
        self.rest.advance(len);
        self.framing = self.framing.saturating_add(len);
    }

    /// The bytes within which a boundary or a header has to end, for any chunking.
    fn head(&self) -> &[u8] {
        self.rest.get(..MAX_HEAD).unwrap_or(&self.rest)
    }

    /// More bytes are needed, as long as a header is not endless.
    fn wait<T>(&self) -> Result<Option<T>, &'static str> {
        if self.rest.len() >= MAX_HEAD {
            Err("a field's header is too long")
        } else {
            Ok(None)
        }
    }

    fn data(&mut self) -> Event {
        if let Some(at) = self.delimiter.find(&self.rest) {
            if at > 0 {
                return Event::Data(self.rest.split_to(at));
            }
            self.pass(self.delimiter.needle().len());
            self.stage = Stage::Delimited;
            return Event::FieldEnd;
        }
        let data = self.rest.split_to(self.certain());
        if data.is_empty() {
            Event::NeedMore
        } else {
            Event::Data(data)
        }
    }

    /// How many bytes cannot belong to a delimiter whose rest is still to come. A boundary holds no
    /// CR, so only the last CR can begin one.
    fn certain(&self) -> usize {
        let len = self.rest.len();
        let from = len.saturating_sub(self.delimiter.needle().len().saturating_sub(1));
        let tail = self.rest.get(from..).unwrap_or_default();
        match memrchr(b'\r', tail) {
            Some(at)
                if self
                    .delimiter
                    .needle()
                    .starts_with(tail.get(at..).unwrap_or_default()) =>
            {
                from.saturating_add(at)
            }
            _ => len,
        }
    }
}

/// The boundary of a form's `Content-Type`.
fn boundary(content_type: &str) -> Option<Vec<u8>> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type
        .trim()
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return None;
    }
    let boundary = Parameters(parameters.as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case(b"boundary"))
        .map(|(_, value)| value)?;
    let is_valid = (1..=MAX_BOUNDARY).contains(&boundary.len())
        && boundary
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte))
        // RFC 2046, 5.1.1 allows a space, but not as the last character.
        && boundary.last() != Some(&b' ');
    is_valid.then_some(boundary)
}

fn field(header: &[u8]) -> Result<Field, &'static str> {
    let mut disposition = None;
    let mut content_type = None;
    let mut lines = header;
    while !lines.is_empty() {
        let (line, rest) = split_at(lines, memmem::find(lines, b"\r\n"), 2);
        lines = rest;
        let (name, value) = split_at(line, memchr(b':', line), 1);
        if name.eq_ignore_ascii_case(b"content-disposition") {
            disposition = Some(value.trim_ascii());
        } else if name.eq_ignore_ascii_case(b"content-type") {
            content_type = Some(text(value.trim_ascii()));
        }
    }
    let disposition = disposition.ok_or(NO_DISPOSITION)?;
    let (kind, parameters) = split_at(disposition, memchr(b';', disposition), 1);
    if !kind.trim_ascii().eq_ignore_ascii_case(b"form-data") {
        return Err("a field's Content-Disposition is not form-data");
    }
    let mut field = Field {
        content_type,
        ..Field::default()
    };
    let mut is_named = false;
    for (name, value) in Parameters(parameters) {
        if name.eq_ignore_ascii_case(b"name") {
            field.name = text(&value);
            is_named = true;
        } else if name.eq_ignore_ascii_case(b"filename") {
            field.file_name = Some(text(&value));
        }
    }
    if is_named {
        Ok(field)
    } else {
        Err("a field has no name")
    }
}

/// The parameters of a header: `; name=token; name="quoted \" text"`. What is not one is skipped.
struct Parameters<'a>(&'a [u8]);

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| matches!(byte, b'=' | b';'));
        let has_value = end.and_then(|end| self.0.get(end)) == Some(&b'=');
        let (name, rest) = split_at(self.0, end, 1);
        self.0 = rest;
        let value = if !has_value {
            Vec::new()
        } else if let [b'"', quoted @ ..] = rest.trim_ascii_start() {
            let (value, rest) = unquote(quoted);
            self.0 = split_at(rest, memchr(b';', rest), 1).1;
            value
        } else {
            let (value, rest) = split_at(rest, memchr(b';', rest), 1);
            self.0 = rest;
            value.trim_ascii().to_vec()
        };
        Some((name.trim_ascii(), value))
    }
}

/// Splits at the closing quote. Only `\"` is an escape: browsers send backslashes of file names
/// unescaped.
fn unquote(quoted: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        match rest {
            [b'\\', b'"', tail @ ..] => {
                value.push(b'"');
                rest = tail;
            }
            [b'"', tail @ ..] => return (value, tail),
            [byte, tail @ ..] => {
                value.push(*byte);
                rest = tail;
            }
            [] => return (value, rest),
        }
    }
}

/// Splits at `at` and skips `gap` bytes; without `at` the second part is empty.
fn split_at(bytes: &[u8], at: Option<usize>, gap: usize) -> (&[u8], &[u8]) {
    let Some((head, tail)) = at.and_then(|at| bytes.split_at_checked(at)) else {
        return (bytes, &[]);
    };
    (head, tail.get(gap..).unwrap_or_default())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=abc";

    type Fields = Vec<(Field, Vec<u8>)>;

    /// The fields and their bytes, with the form cut into chunks of `size`.
    fn read(form: &[u8], size: usize) -> Result<Option<Fields>, &'static str> {
        let mut parser = Multipart::new(TYPE).unwrap();
        let mut fields = Vec::new();
        let mut chunks = form.chunks(size.max(1));
        loop {
            match parser.next()? {
                Event::NeedMore => match chunks.next() {
                    Some(chunk) => parser.push(Bytes::copy_from_slice(chunk)),
                    None => return Ok(None),
                },
                Event::Field(field) => fields.push((field, Vec::new())),
                Event::Data(data) => fields.last_mut().unwrap().1.extend(data),
                Event::FieldEnd => {}
                Event::End => return Ok(Some(fields)),
            }
        }
    }

    fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
        let mut form = Vec::new();
        for (disposition, data) in fields {
            form.extend(b"--abc\r\nContent-Disposition: form-data; ");
            form.extend(disposition.as_bytes());
            form.extend(b"\r\n\r\n");
            form.extend(*data);
            form.extend(b"\r\n");
        }
        form.extend(b"--abc--\r\n");
        form
    }

    #[test]
    fn names_and_file_names_are_read_as_clients_write_them() {
        let table = [
            (r#"name="a""#, "a", None),
            ("name=a", "a", None),
            (r#"name="a"; filename="b.png""#, "a", Some("b.png")),
            (
                r#"filename="b; name=c.png"; name="a""#,
                "a",
                Some("b; name=c.png"),
            ),
            (
                r#"name="a"; filename="C:\new\b.png""#,
                "a",
                Some(r"C:\new\b.png"),
            ),
            (r#"name="a"; filename="b\".png""#, "a", Some("b\".png")),
            (r#"name="a"; filename="ü%22.png""#, "a", Some("ü%22.png")),
            (r#"NAME = "a" ;x; filename="""#, "a", Some("")),
            (r#"name="a"; filename="open"#, "a", Some("open")),
        ];
        for (disposition, name, file_name) in table {
            let fields = read(&form(&[(disposition, b"1")]), 64).unwrap().unwrap();
            assert_eq!(fields[0].0.name, name, "{disposition}");
            assert_eq!(fields[0].0.file_name.as_deref(), file_name, "{disposition}");
        }
    }

    #[test]
    fn a_content_type_without_a_boundary_that_can_be_one_is_no_forms() {
        let taken = [
            "multipart/form-data; boundary=abc",
            "Multipart/Form-Data;charset=utf-8; BOUNDARY=\"a b?c\"",
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
        ];
        for content_type in taken {
            assert!(Multipart::new(content_type).is_some(), "{content_type}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        let refused = [
            "",
            "image/png",
            "multipart/mixed; boundary=abc",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"a\rb\"",
            "multipart/form-data; boundary=a\u{fc}b",
            &long,
        ];
        for content_type in refused {
            assert!(Multipart::new(content_type).is_none(), "{content_type}");
        }
    }

    #[test]
    fn what_breaks_the_format_is_said() {
        let table: [(&[u8], &str); 6] = [
            (b"--abc\r\n\r\nx\r\n--abc--", "no Content-Disposition"),
            (
                b"--abc\r\nContent-Type: a\r\n\r\nx\r\n--abc--",
                "no Content-Disposition",
            ),
            (
                b"--abc\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--abc--",
                "not form-data",
            ),
            (
                b"--abc\r\nContent-Disposition: form-data\r\n\r\nx\r\n--abc--",
                "no name",
            ),
            (b"--abcd\r\n", "line break"),
            (&[b'x'; 16_384], "boundary"),
        ];
        for (form, says) in table {
            for size in [1, 7, 50_000] {
                let reason = read(form, size).unwrap_err();
                assert!(reason.contains(says), "{reason}");
            }
        }
    }

    #[test]
    fn nothing_that_is_held_grows_without_end() {
        let mut header = b"--abc\r\nContent-Disposition: form-data; name=".to_vec();
        header.resize(100_000, b'a');
        assert_eq!(read(&header, 1_000), Err("a field's header is too long"));
        let mut padding = b"--abc".to_vec();
        padding.resize(100_000, b' ');
        assert_eq!(read(&padding, 1_000), Err("a field's header is too long"));
    }

    #[test]
    fn a_chunk_is_handed_on_and_not_copied() {
        let mut parser = Multipart::new(TYPE).unwrap();
        parser.push(Bytes::from_static(
            b"--abc\r\nContent-Disposition: form-data; name=a\r\n\r\n",
        ));
        assert!(matches!(parser.next(), Ok(Event::Field(_))));
        assert_eq!(parser.next(), Ok(Event::NeedMore));
        let chunk = Bytes::from(vec![7; 1_000]);
        parser.push(chunk.clone());
        let Ok(Event::Data(data)) = parser.next() else {
            panic!("no data");
        };
        assert_eq!((data.as_ptr(), data.len()), (chunk.as_ptr(), 1_000));
    }

    proptest! {
        /// Data that looks like delimiters comes out as it went in, however it is cut.
        #[test]
        fn any_chunking_gives_the_same_fields(
            data in proptest::collection::vec("[\r\n\\-abcd]{0,12}(\r\n--ab|\r\n--xabc|\r)?", 1..4),
            preamble in prop::option::of("[a-z\r\n]{0,20}"),
            size in 1_usize..40,
        ) {
            prop_assume!(data.iter().all(|data| !format!("\r\n{data}").contains("\r\n--abc")));
            let fields: Vec<_> = data.iter().map(|data| ("name=a", data.as_bytes())).collect();
            let mut whole = preamble.map(|text| format!("{text}\r\n").into_bytes()).unwrap_or_default();
            whole.extend(form(&fields));
            let read = read(&whole, size).unwrap().unwrap();
            let read: Vec<_> = read.into_iter().map(|(_, data)| data).collect();
            let sent: Vec<_> = data.iter().map(|data| data.clone().into_bytes()).collect();
            prop_assert_eq!(read, sent);
        }

        #[test]
        fn no_bytes_make_it_panic_or_run_on(bytes: Vec<u8>, size in 1_usize..40) {
            let mut form = b"--abc".to_vec();
            form.extend(bytes);
            let _ = read(&form, size);
        }
    }
}
