//! The fields of a JSON object, split without parsing their values: an unused field may hold
//! anything that has an end (lone surrogates, control characters, `NaN`).

use super::foreign::is_foreign;

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Text(String),
    /// A whole number, which may be a data id.
    Whole(String),
    /// A text that is not UTF-8, as it is written.
    Foreign(Vec<u8>),
    /// Something else, in words.
    Other(&'static str),
}

impl Value {
    pub(super) fn of(raw: &[u8]) -> Self {
        match raw {
            b"null" => Self::Null,
            b"true" | b"false" => Self::Other("true or false"),
            [b'"', ..] => match serde_json::from_slice(raw) {
                Ok(text) => Self::Text(text),
                Err(_) if is_foreign(raw) => Self::Foreign(raw.to_vec()),
                Err(_) => Self::Other("not a valid JSON text"),
            },
            [b'{', ..] => Self::Other("an object"),
            [b'[', ..] => Self::Other("an array"),
            raw => match serde_json::from_slice::<serde_json::Number>(raw) {
                Ok(number) if number.is_i64() || number.is_u64() => Self::Whole(number.to_string()),
                Ok(_) => Self::Other("a number with a fraction"),
                Err(_) => Self::Other("not JSON"),
            },
        }
    }
}

/// The names and the values, as they are written, of an object's fields.
pub(super) fn split(object: &[u8]) -> Result<Vec<(String, &[u8])>, &'static str> {
    let mut rest = Rest(object);
    let mut fields = Vec::new();
    rest.expect(b'{', "`{` is missing")?;
    if rest.take(b'}') {
        return rest.end().map(|()| fields);
    }
    loop {
        rest.skip_blanks();
        if rest.0.first() != Some(&b'"') {
            return Err("the name of a field is missing");
        }
        let name = rest.value()?;
        rest.expect(b':', "`:` is missing after the name of a field")?;
        let value = rest.value()?;
        // A malformed name costs nothing if its field is unused, and a message can still show it.
        let name = serde_json::from_slice(name)
            .unwrap_or_else(|_| String::from_utf8_lossy(name).trim_matches('"').to_owned());
        fields.push((name, value));
        if rest.take(b'}') {
            return rest.end().map(|()| fields);
        }
        rest.expect(b',', "`,` or `}` is missing after a field")?;
    }
}

/// The name of the first field that is an array. The object may be incomplete.
pub(super) fn first_array(object: &[u8]) -> Option<String> {
    let mut rest = Rest(object.strip_prefix(b"{")?);
    loop {
        let name = serde_json::from_slice(rest.value().ok()?).ok()?;
        rest.expect(b':', "").ok()?;
        rest.skip_blanks();
        if rest.0.starts_with(b"[") {
            return Some(name);
        }
        rest.value().ok()?;
        rest.expect(b',', "").ok()?;
    }
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<(), &'static str> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(otherwise)
        }
    }

    fn end(&mut self) -> Result<(), &'static str> {
        self.skip_blanks();
        match self.0.trim_ascii_end() {
            b"" => Ok(()),
            b"," => Err("`,` follows it, which only the elements of an array have"),
            _ => Err("text follows it"),
        }
    }

    fn value(&mut self) -> Result<&'a [u8], &'static str> {
        self.skip_blanks();
        let mut end = End::default();
        let length = self.0.iter().position(|byte| end.is_behind(*byte));
        let length = match length {
            Some(length) => length,
            None if end.may_end() => self.0.len(),
            None => return Err("it ends within a field"),
        };
        let (value, rest) = self.0.split_at(length);
        self.0 = rest;
        if value.is_empty() {
            return Err("the value of a field is missing");
        }
        Ok(value)
    }
}

/// Finds where a JSON value ends.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the state of a scanner, byte by byte"
)]
pub(super) struct End {
    depth: u64,
    in_text: bool,
    is_escaped: bool,
    /// The value ended with the last byte.
    is_over: bool,
    has_begun: bool,
}

impl End {
    /// Whether the byte is the first that does not belong to the value.
    pub(super) fn is_behind(&mut self, byte: u8) -> bool {
        if self.is_over {
            return true;
        }
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if self.in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_text = false;
                    self.is_over = self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            // Within a bare word such as `NaN`, a quote or a bracket begins no value.
            b'"' if is_first || self.depth > 0 => self.in_text = true,
            b'{' | b'[' if is_first || self.depth > 0 => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if self.depth > 0 => {
                self.depth = self.depth.saturating_sub(1);
                self.is_over = self.depth == 0;
            }
            b',' | b'}' | b']' if self.depth == 0 => return true,
            byte if byte.is_ascii_whitespace() && self.depth == 0 => return true,
            _ => {}
        }
        false
    }

    /// Whether the value is complete if nothing follows.
    pub(super) const fn may_end(&self) -> bool {
        self.depth == 0 && !self.in_text
    }

    /// Whether the last byte ended the value.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) const fn is_in_text(&self) -> bool {
        self.in_text
    }
}

/// Returns how to read the elements of an array that an object wraps.
pub(super) fn elements_of(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain {
        format!("; write the elements of `{name}` as lines: jq -c '.{name}[]' FILE")
    } else {
        "; write the elements of the array in it as lines".to_owned()
    }
}

/// Returns why an element of more than `most` bytes is not held.
pub(super) fn too_long(most: usize) -> String {
    format!("longer than {most} bytes")
}

/// The same for an object of which the first bytes are held.
pub(super) fn too_long_with_array(element: &[u8], most: usize) -> String {
    let name = first_array(element);
    too_long(most) + &name.map(|name| elements_of(&name)).unwrap_or_default()
}
