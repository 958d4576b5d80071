//! JSON lines: an object a line, or a text a line.

use std::{collections::VecDeque, fmt, io::BufRead};

use serde::{
    Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use super::{
    column::{Columns, USUAL, listed},
    lines::Lines,
    row::{Found, Row, Rows, Trouble},
};
use crate::cli::exit::reason;

/// A longer line is not held, in bytes: it may have fields beside the source.
const LONGEST_LINE: usize = 1 << 20;

/// As many lines are read ahead to see whether the columns are there.
const AHEAD: usize = 100;

/// As many names of fields are noted for messages.
const MOST_NAMES: usize = 40;

/// The objects of a text; blank lines are passed over.
pub(super) struct JsonRows<R> {
    lines: Lines<R>,
    columns: Columns,
    ahead: VecDeque<Row>,
}

impl<R: BufRead> JsonRows<R> {
    pub(super) fn new(reader: R, columns: Columns) -> Self {
        Self {
            lines: Lines::new(reader, LONGEST_LINE),
            columns,
            ahead: VecDeque::new(),
        }
    }

    /// The next line, and the names of its fields.
    fn read(&mut self) -> Option<(Row, Fields)> {
        loop {
            let line = match self.lines.next() {
                Ok(line) => line?,
                Err(error) => {
                    let row = Row::unreadable(self.lines.number(), &reason(&error));
                    return Some((row, Fields::default()));
                }
            };
            if line.bytes.trim_ascii().is_empty() && !line.is_cut {
                continue;
            }
            let (found, fields) = if line.is_cut {
                let why = format!("longer than {LONGEST_LINE} bytes");
                (Found::broken(line.bytes, why), Fields::default())
            } else {
                find(&self.columns, line.bytes)
            };
            let number = line.number;
            return Some((Row { number, found }, fields));
        }
    }
}

impl<R: BufRead + Send> Rows for JsonRows<R> {
    /// Sees whether one of the first lines has the columns that were named. Usually that is the
    /// first one, so that nothing waits for a second.
    fn begin(&mut self) -> Result<(), Trouble> {
        let mut missing = named(&self.columns);
        let mut seen: Vec<String> = Vec::new();
        while !missing.is_empty() && self.ahead.len() < AHEAD {
            let Some((row, fields)) = self.read() else {
                break;
            };
            let ends = matches!(row.found, Found::Unreadable(_));
            self.ahead.push_back(row);
            missing.retain(|(name, _)| !fields.names.iter().any(|field| field == name));
            for name in fields.names {
                if !seen.contains(&name) {
                    seen.push(name);
                }
            }
            if ends {
                return Ok(());
            }
        }
        let Some((name, option)) = missing.first() else {
            return Ok(());
        };
        if seen.is_empty() {
            return Ok(()); // What the lines are instead is told line by line.
        }
        Err(Trouble::new(
            format!(
                "no field `{name}` in the first lines; there are: {}",
                listed(&seen)
            ),
            format!("give one of these names to {option}"),
        ))
    }

    fn next(&mut self) -> Option<Row> {
        let ahead = self.ahead.pop_front();
        ahead.or_else(|| self.read().map(|(row, _)| row))
    }
}

/// The columns that the user named, and how.
fn named(columns: &Columns) -> Vec<(String, &'static str)> {
    let source = columns.source.iter().map(|name| (name, "--column"));
    let data_id = columns
        .data_id
        .iter()
        .map(|name| (name, "--data-id-column"));
    let named = source.chain(data_id);
    named.map(|(name, option)| (name.clone(), option)).collect()
}

fn find(columns: &Columns, line: &[u8]) -> (Found, Fields) {
    let mut json = serde_json::Deserializer::from_slice(line);
    let visitor = Line { columns };
    let read = json
        .deserialize_any(visitor)
        .and_then(|read| json.end().map(|()| read));
    match read {
        Ok(Read::Text(text)) => (Found::source(text.into_bytes()), Fields::default()),
        Ok(Read::Fields(fields)) => (fields.found(columns), fields),
        Err(error) => {
            // Its own place would be line 1 always.
            let text = error.to_string();
            let why = text.split(" at line ").next().unwrap_or_default();
            let why = format!(
                "not JSON as expected: {why} at character {}",
                error.column()
            );
            (Found::broken(line, why), Fields::default())
        }
    }
}

/// What a line holds, as far as it matters.
enum Read {
    Text(String),
    Fields(Fields),
}

#[derive(Debug, Default)]
struct Fields {
    names: Vec<String>,
    /// The column that was named.
    source: Value,
    /// Those of the usual names.
    usual: [Value; USUAL.len()],
    /// The first field that is none of these, and whether there are others.
    other: Value,
    has_others: bool,
    data_id: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Value {
    #[default]
    Absent,
    Null,
    Text(String),
    /// A whole number, which may be a data id.
    Whole(String),
    /// Something else, in words.
    Other(&'static str),
}

impl Fields {
    fn found(&self, columns: &Columns) -> Found {
        let usual = self.usual.iter().find(|value| **value != Value::Absent);
        let source = match (&columns.source, usual) {
            (Some(_), _) => &self.source,
            (None, Some(usual)) => usual,
            (None, None) if self.has_others => &Value::Absent,
            (None, None) => &self.other,
        };
        let source = match source {
            Value::Text(text) if !text.is_empty() => text.clone().into_bytes(),
            Value::Text(_) | Value::Null => {
                return Found::broken("", "no source in this line");
            }
            Value::Absent => {
                let wanted = columns.source.as_deref().unwrap_or("url` or `source");
                let names = listed(&self.names);
                return Found::broken("", format!("no field `{wanted}`; there are: {names}"));
            }
            Value::Whole(_) => return Found::broken("", "the source is a number"),
            Value::Other(what) => return Found::broken("", format!("the source is {what}")),
        };
        match &self.data_id {
            Value::Other(what) => Found::broken(source, format!("the data id is {what}")),
            Value::Whole(text) | Value::Text(text) if !text.is_empty() => Found::Source {
                source,
                data_id: Some(text.clone().into_bytes()),
            },
            Value::Whole(_) | Value::Text(_) | Value::Null | Value::Absent => Found::source(source),
        }
    }

    fn note(&mut self, columns: &Columns, name: String, value: Value) {
        if columns.data_id.as_ref() == Some(&name) {
            self.data_id = value.clone();
        }
        if columns.source.as_ref() == Some(&name) {
            self.source = value;
        } else if let Some(at) = USUAL.iter().position(|usual| *usual == name) {
            if let Some(usual) = self.usual.get_mut(at) {
                *usual = value;
            }
        } else if columns.data_id.as_ref() != Some(&name) {
            self.has_others |= self.other != Value::Absent;
            self.other = value;
        }
        if self.names.len() <= MOST_NAMES {
            self.names.push(name);
        }
    }
}

/// Reads a line and holds nothing but texts of its own fields.
struct Line<'a> {
    columns: &'a Columns,
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Read, E> {
        Ok(Read::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<Value>()?;
            fields.note(self.columns, name, value);
        }
        Ok(Read::Fields(fields))
    }
}

impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Whole(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Whole(number.to_string()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other("a number with a fraction"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other("true or false"))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an object"))
    }
}
