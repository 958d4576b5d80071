//! JSON: one object or text per line, or an array of them, read one element at a time.

use std::{collections::VecDeque, io::BufRead};

use super::{
    check,
    column::{self, Columns, WANTED, is_same, is_usual, listed},
    elements::{Element, Elements},
    fields::{self, Value, elements_of},
    foreign::is_foreign,
    row::{Found, Row, Rows, Trouble, with_skipped},
};
use crate::{cli::exit::reason, pipeline::EarlierCheck};

/// As many elements are read ahead to see whether the columns are there.
const AHEAD: usize = 100;

/// As many names of fields are noted for messages.
const MOST_NAMES: usize = 40;

/// The elements of a list; blank lines are skipped.
pub(super) struct JsonRows<R> {
    elements: Elements<R>,
    columns: Columns,
    ahead: VecDeque<Row>,
}

impl<R: BufRead> JsonRows<R> {
    pub(super) const fn new(reader: R, columns: Columns) -> Self {
        Self {
            elements: Elements::new(reader),
            columns,
            ahead: VecDeque::new(),
        }
    }

    /// The next element, and the names of its fields.
    fn read(&mut self) -> Option<(Row, Names)> {
        let element = match self.elements.next() {
            Ok(element) => element?,
            Err(error) => {
                let row = Row {
                    element: self.elements.number(),
                    ..Row::unreadable(self.elements.line(), &reason(&error))
                };
                return Some((row, Names::default()));
            }
        };
        let Element {
            line,
            last,
            bytes,
            fault,
        } = element;
        let is_reported = fault.is_some();
        let (found, names) = match fault {
            Some(fault) => (Found::broken(bytes, fault), Names::default()),
            None => find(&self.columns, &bytes),
        };
        let found = match found {
            Found::Broken { text, why } if !is_reported => {
                Found::broken(text, with_skipped(why, line, last))
            }
            found => found,
        };
        let row = Row {
            number: line,
            last,
            element: self.elements.number(),
            found,
        };
        Some((row, names))
    }
}

impl<R: BufRead + Send> Rows for JsonRows<R> {
    /// Checks whether one of the first elements has the columns that were named. Usually that is the
    /// first one, so that nothing waits for a second.
    fn begin(&mut self) -> Result<(), Trouble> {
        let mut missing = named(&self.columns);
        let mut seen: Vec<String> = Vec::new();
        if self.columns.source.is_none() {
            let Some((row, names)) = self.read() else {
                return Ok(());
            };
            let fitting = fitting(&names.with_value, &self.columns);
            if fitting.len() > 1 {
                return Err(column::ambiguous(&fitting));
            }
            self.ahead.push_back(row);
            missing.retain(|(name, _)| !names.has(name));
            seen = names.all;
        }
        // A field may be absent in the first elements, so a name is missing only if none of them
        // has it.
        while !missing.is_empty() && self.ahead.len() < AHEAD {
            let Some((row, names)) = self.read() else {
                break;
            };
            let ends = matches!(row.found, Found::Unreadable(_));
            self.ahead.push_back(row);
            missing.retain(|(name, _)| !names.has(name));
            for name in names.all {
                if !seen.contains(&name) && seen.len() <= MOST_NAMES {
                    seen.push(name);
                }
            }
            // The row reports that the list cannot be read; missing columns are not the cause.
            if ends {
                return Ok(());
            }
        }
        let Some((name, option)) = missing.first() else {
            return Ok(());
        };
        if seen.is_empty() {
            return Ok(()); // What the elements are instead is reported for each.
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

impl Names {
    fn has(&self, wanted: &str) -> bool {
        self.all.iter().any(|name| is_same(name, wanted))
    }
}

/// The names that a field with the source may have, if the user names none.
fn fitting<'a>(names: &'a [String], columns: &Columns) -> Vec<&'a String> {
    let data_id = columns.data_id.as_deref();
    let is_other = |name: &&String| is_usual(name) && data_id.is_none_or(|id| !is_same(id, name));
    names.iter().filter(is_other).collect()
}

/// The names of an element's fields, the first of them.
#[derive(Debug, Default)]
struct Names {
    all: Vec<String>,
    /// Those that are not null.
    with_value: Vec<String>,
}

/// What an element holds, and the names of its fields. Only the fields that are
/// asked for are read: whatever is wrong with another costs nothing.
fn find(columns: &Columns, element: &[u8]) -> (Found, Names) {
    let broken = |why: &str| (Found::broken(element, why), Names::default());
    match element.first() {
        Some(b'"') => match serde_json::from_slice::<String>(element) {
            Ok(text) => (Found::source(text.into_bytes()), Names::default()),
            // Passed on as it is: `List` reports such lines together.
            Err(_) if is_foreign(element) => (Found::source(element.to_vec()), Names::default()),
            Err(_) => broken("not a JSON text as it should be"),
        },
        Some(b'{') => match fields::split(element) {
            Ok(fields) => found(columns, &fields),
            Err(why) => broken(&format!("not a JSON object as it should be: {why}")),
        },
        _ => broken("neither a JSON object nor a JSON text"),
    }
}

fn found(columns: &Columns, fields: &[(String, &[u8])]) -> (Found, Names) {
    let value = |at: Option<usize>| {
        let raw = at.and_then(|at| fields.get(at));
        raw.map_or(Value::Null, |(_, raw)| Value::of(raw))
    };
    let mut names = Names::default();
    for (name, raw) in fields {
        let is_new = !names.all.contains(name) && names.all.len() <= MOST_NAMES;
        if is_new {
            names.all.push(name.clone());
        }
        if is_new && *raw != b"null" {
            names.with_value.push(name.clone());
        }
    }
    let (source, data_id) = match positions(columns, fields, &names) {
        Ok(positions) => positions,
        Err(why) => return (Found::broken("", why), names),
    };
    let Some(source) = source else {
        let wanted = columns.source.as_deref().unwrap_or(WANTED);
        let all = listed(&names.all);
        let mut why = format!("no field `{wanted}`; there are: {all}");
        let array = fields.iter().find(|(_, raw)| is_list(raw));
        if let Some((name, _)) = array {
            why += &elements_of(name);
        }
        return (Found::broken("", why), names);
    };
    if let Some((name, raw)) = fields.get(source)
        && is_list(raw)
    {
        let why = format!("the source is an array{}", elements_of(name));
        return (Found::broken("", why), names);
    }
    let source = match value(Some(source)) {
        Value::Text(text) if !text.is_empty() => text.into_bytes(),
        Value::Foreign(raw) => raw,
        Value::Text(_) => return (Found::broken("", "the source is empty"), names),
        Value::Null => return (Found::broken("", "the source is null"), names),
        Value::Whole(_) => return (Found::broken("", "the source is a number"), names),
        Value::Other(what) => return (Found::broken("", format!("the source is {what}")), names),
    };
    let found = match value(data_id) {
        Value::Foreign(raw) => Found::Source {
            source,
            data_id: Some(raw),
            check: None,
        },
        Value::Other(what) => Found::broken(source, format!("the data id is {what}")),
        Value::Whole(text) | Value::Text(text) if !text.is_empty() => Found::Source {
            source,
            data_id: Some(text.into_bytes()),
            check: None,
        },
        Value::Whole(_) | Value::Text(_) | Value::Null => Found::source(source),
    };
    let check = columns.checks.then(|| check_in(fields)).flatten();
    (found.with_check(check), names)
}

/// Reads the fields of an earlier check.
fn check_in(fields: &[(String, &[u8])]) -> Option<EarlierCheck> {
    let mut cells = check::Cells::default();
    let at = check::find(fields.iter().map(|(name, _)| name));
    for (column, at) in at.into_iter().enumerate() {
        let field = at.and_then(|at| fields.get(at));
        match field.map(|(_, raw)| (*raw, Value::of(raw))) {
            Some((_, Value::Text(text))) => cells.push(column, text.as_bytes()),
            Some((_, Value::Null)) | None => {}
            Some((raw, _)) => cells.push(column, raw),
        }
    }
    cells.parse()
}

/// Finds the fields with the source and the data id.
fn positions(
    columns: &Columns,
    fields: &[(String, &[u8])],
    names: &Names,
) -> Result<(Option<usize>, Option<usize>), String> {
    let data_id = match &columns.data_id {
        Some(name) => position(fields, name)?,
        None => None,
    };
    if let Some(name) = &columns.source {
        return Ok((position(fields, name)?, data_id));
    }
    let usual = fitting(&names.with_value, columns);
    if usual.len() > 1 {
        return Err(column::ambiguous(&usual).why);
    }
    // A usual name whose value is null is still the column, so that the null is reported.
    let of_null = || fitting(&names.all, columns).into_iter().next();
    if let Some(name) = usual.into_iter().next().or_else(of_null) {
        return Ok((position(fields, name)?, data_id));
    }
    // A single field needs no usual name.
    let mut others = (0..fields.len()).filter(|at| Some(*at) != data_id);
    let only = others.next().filter(|_| others.next().is_none());
    Ok((only, data_id))
}

/// Finds the field of a name. Which of several is meant differs between readers (RFC 8259, 4).
fn position(fields: &[(String, &[u8])], wanted: &str) -> Result<Option<usize>, String> {
    let find = |is_wanted: &dyn Fn(&str) -> bool| {
        let mut found =
            (0..fields.len()).filter(|at| fields.get(*at).is_some_and(|(name, _)| is_wanted(name)));
        let first = found.next();
        match found.next() {
            Some(_) => Err(format!("more than one field is named `{wanted}`")),
            None => Ok(first),
        }
    };
    // The exact name first, because names that differ in case only are different fields.
    match find(&|name| name == wanted)? {
        Some(exact) => Ok(Some(exact)),
        None => find(&|name| is_same(name, wanted)),
    }
}

/// Whether a value is an array of texts, objects or arrays.
fn is_list(raw: &[u8]) -> bool {
    let elements = raw.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    elements.is_some_and(|elements| elements.starts_with(b"{") || elements.starts_with(b"\""))
}
