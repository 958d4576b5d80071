//! What all tests of lists share.

mod columns;
mod delimited;
mod encoding;
mod json;
mod properties;
mod text;

use std::io::Cursor;

use super::*;

/// A line as tests compare it: its number, its text, its data id and what is wrong with it.
type Plain = (u64, String, Option<String>, Option<String>);

fn plain(list: List) -> Vec<Plain> {
    list.map(|line| {
        let data_id = line.data_id.map(|data_id| data_id.to_string());
        (line.place.line, line.text, data_id, line.fault)
    })
    .collect()
}

fn list_of(format: ListFormat, columns: Columns, reader: impl BufRead + Send + 'static) -> List {
    List::new("list", format, rows(reader, format, columns))
}

fn read(format: ListFormat, bytes: &[u8]) -> Vec<Plain> {
    read_columns(format, Columns::default(), bytes)
}

fn read_columns(format: ListFormat, columns: Columns, bytes: &[u8]) -> Vec<Plain> {
    plain(list_of(format, columns, Cursor::new(bytes.to_vec())))
}

/// The same, `chunk` bytes at a time.
fn read_chunked(format: ListFormat, columns: Columns, bytes: &[u8], chunk: usize) -> Vec<Plain> {
    let reader = BufReader::with_capacity(chunk, Cursor::new(bytes.to_vec()));
    plain(list_of(format, columns, reader))
}

fn columns(source: &str, data_id: &str) -> Columns {
    let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Columns {
        source: name(source),
        data_id: name(data_id),
        delimiter: None,
        rows_per_byte: None,
        checks: false,
    }
}

fn good(line: u64, text: &str) -> Plain {
    (line, text.to_owned(), None, None)
}

fn named(line: u64, text: &str, data_id: &str) -> Plain {
    (line, text.to_owned(), Some(data_id.to_owned()), None)
}

fn bad(line: u64, text: &str, fault: &str) -> Plain {
    (line, text.to_owned(), None, Some(fault.to_owned()))
}
