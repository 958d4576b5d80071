//! JSON read leniently.
//!
//! The service's pages, their tables and their samples disagree about capitals, absent and null
//! fields, so objects are read field by field: a name is looked up whatever its capitals, a value
//! of another type counts as absent, and unknown fields are ignored.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ids::TaskId;

/// A text without the mark that some programs put before UTF-8.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Maximum weight of the texts of one response. Responses about a hundred images weigh a tenth of
/// it; the tree of a text takes up to 160 bytes for each unit.
pub(super) const MAX_WEIGHT: usize = 300_000;

/// How much memory the tree of a JSON text takes, known before it is made: 4 units for each object
/// and list, and 1 for each further value in one.
pub(super) fn weight(text: &[u8]) -> usize {
    let mut weight = 0_usize;
    let (mut in_text, mut escaped) = (false, false);
    for byte in text {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => weight += 4,
            b',' => weight += 1,
            _ => {}
        }
    }
    weight
}

/// A JSON object read leniently: a whole one, or a part of another.
#[derive(Clone, Debug)]
pub(super) struct Object<'a>(Cow<'a, Map<String, Value>>);

impl From<Map<String, Value>> for Object<'static> {
    fn from(map: Map<String, Value>) -> Self {
        Self(Cow::Owned(map))
    }
}

impl Object<'static> {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = without_mark(text);
        // `serde_json` has no limit on memory, and a response of `[[[…` is small.
        if weight(text) > MAX_WEIGHT {
            return None;
        }
        // Bytes that are not UTF-8 cost the text that they are in, not the response.
        let text = String::from_utf8_lossy(text);
        serde_json::from_str::<Map<_, _>>(&text)
            .ok()
            .map(Self::from)
    }

    /// Removes the objects in a list: an answer's elements are moved out of it, not copied, because
    /// a tree of them takes up to a hundred times as much memory as the text.
    pub(super) fn take_objects(&mut self, name: &str) -> Vec<Self> {
        let found = self.entry(name).map(|(found, _)| found.clone());
        match found.and_then(|found| self.0.to_mut().remove(&found)) {
            Some(Value::Array(values)) => values
                .into_iter()
                .filter_map(|value| match value {
                    Value::Object(map) => Some(map.into()),
                    _ => None,
                })
                .collect(),
            Some(Value::Object(map)) => vec![map.into()],
            _ => Vec::new(),
        }
    }

    pub(super) fn clean_message(&mut self, clean: impl Fn(&str) -> String) {
        for (name, value) in self.0.to_mut() {
            let is_message = ["msg", "message"]
                .iter()
                .any(|m| name.eq_ignore_ascii_case(m));
            if let Value::String(text) = value
                && is_message
            {
                *text = clean(text);
            }
        }
    }
}

impl Object<'_> {
    /// The field of this name, as written or in other capitals; null counts as absent.
    fn entry(&self, name: &str) -> Option<(&String, &Value)> {
        let is_there = |(_, value): &(&String, &Value)| !value.is_null();
        // The exact name first: an object may contain both `ReqId` and `reqId`.
        let as_written = self.0.get_key_value(name).filter(is_there);
        as_written.or_else(|| {
            let mut fields = self.0.iter().filter(is_there);
            fields.find(|(found, _)| found.eq_ignore_ascii_case(name))
        })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.entry(name).map(|(_, value)| value)
    }

    /// A name, which some pages write as a number.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.trim().to_owned()),
            // A number with a fraction was rounded by the parser, so it is not an id.
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        }
    }

    /// The id that the service gave a task: `taskId` in 1.0, `ReqId` in 2.0.
    pub(super) fn task_id(&self) -> Option<TaskId> {
        let id = self.word("taskId").or_else(|| self.word("reqId"))?;
        TaskId::parse(&id).ok()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The service's message, for people.
    pub(super) fn message(&self) -> &str {
        let message = self.text("msg").or_else(|| self.text("message"));
        message.unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        let number = value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok());
        // `NaN` and `inf` are numbers to the parser of a text.
        number.filter(|number| number.is_finite())
    }

    /// The texts in a list; a single text counts as a list of one.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(values)) => values
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
            Some(Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    /// The field as JSON text.
    pub(super) fn json(&self, name: &str) -> Option<String> {
        self.get(name).map(ToString::to_string)
    }

    /// The whole object as JSON text.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&*self.0).unwrap_or_default()
    }

    /// The service's numeric code, which some pages write as a text.
    pub(super) fn code(&self) -> Option<u16> {
        self.word("code")?.parse().ok()
    }

    /// The number of values in a list, of any type.
    pub(super) fn count(&self, name: &str) -> usize {
        match self.get(name) {
            Some(Value::Array(values)) => values.len(),
            Some(_) => 1,
            None => 0,
        }
    }

    /// The objects in a list; a single one counts as a list of one.
    pub(super) fn objects(&self, name: &str) -> Vec<Object<'_>> {
        let part = |map| Object(Cow::Borrowed(map));
        match self.get(name) {
            Some(Value::Array(values)) => values
                .iter()
                .filter_map(|value| value.as_object().map(part))
                .collect(),
            Some(Value::Object(map)) => vec![part(map)],
            _ => Vec::new(),
        }
    }
}
