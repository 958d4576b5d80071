//! The responses of the service and of its gateway.

use serde_json::Value;

use super::object::{MAX_WEIGHT, Object, weight, without_mark};
use crate::sanitize::harmless;

/// A response of the service or of its gateway.
#[derive(Debug)]
pub(super) enum Answer {
    /// The service's envelope.
    Service(Envelope),
    /// The gateway's refusal, before the service was reached.
    Gateway(GatewayError),
}

/// `{"code","msg","requestId","data"}`.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) code: u16,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    pub(super) data: Vec<Object<'static>>,
}

/// `{"Code","Message","RequestId","HostId","Recommend"}`.
#[derive(Debug)]
pub(super) struct GatewayError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
}

/// The reason why a body is not a response of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAnAnswer(&'static str);

impl NotAnAnswer {
    /// The reason, with the beginning of the body.
    pub(super) fn shown(self, body: &str) -> String {
        let beginning = match harmless(body.trim(), 120) {
            text if text.is_empty() => "(nothing)".to_owned(),
            text => format!("`{text}`"),
        };
        format!("{}; the body begins: {beginning}", self.0)
    }
}

impl Envelope {
    /// Represents a code that is missing or is not a number.
    pub(super) const NO_CODE: u16 = 0;

    /// Whether it holds a task id. Such an answer is a success whatever its own code is: an id that
    /// was paid for is not dropped.
    pub(super) fn names_tasks(&self) -> bool {
        self.data.iter().any(|element| element.task_id().is_some())
    }

    /// Applies `clean` to every text that is shown to people.
    pub(super) fn clean(&mut self, clean: impl Fn(&str) -> String) {
        self.message = clean(&self.message);
        self.request_id = self.request_id.as_deref().map(&clean);
        for element in &mut self.data {
            element.clean_message(&clean);
        }
    }

    /// The complete elements of a body that is truncated, or corrupt elsewhere. `None` if that
    /// names no task.
    pub(super) fn salvaged(body: &[u8]) -> Option<Self> {
        // The elements of `data` in a list, or `data` itself.
        [2, 1].into_iter().find_map(|level| {
            // The elements are parsed one by one, but their trees are held together.
            let mut left = MAX_WEIGHT;
            let light = elements(body, level).map_while(|element| {
                left = left.checked_sub(weight(element))?;
                Some(element)
            });
            let envelope = Self {
                code: Self::NO_CODE,
                message: String::new(),
                request_id: None,
                data: light.filter_map(Object::parse).collect(),
            };
            envelope.names_tasks().then_some(envelope)
        })
    }
}

/// The texts of the objects and lists at this level of the outermost object, as far as they are
/// complete. In an outermost list they are one level higher.
fn elements(body: &[u8], level: usize) -> impl Iterator<Item = &[u8]> {
    let level = match body.iter().find(|byte| matches!(byte, b'{' | b'[')) {
        Some(b'[') => 1,
        _ => level,
    };
    let (mut depth, mut begun) = (0_usize, None);
    let (mut in_text, mut escaped) = (false, false);
    body.iter().enumerate().filter_map(move |(at, byte)| {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return None;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                if depth == level {
                    begun = Some(at);
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == level {
                    return body.get(begun.take()?..=at);
                }
            }
            _ => {}
        }
        None
    })
}

impl Answer {
    /// Reads a body. Bytes that are not UTF-8 make the text they are in unusable, not the answer.
    pub(super) fn parse(body: &[u8]) -> Result<Self, NotAnAnswer> {
        let body = without_mark(body);
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let foreign = NotAnAnswer(match first {
            None => "the answer has no body",
            Some(b'<') => "the answer is HTML or XML, not JSON",
            Some(_) => "the answer is not a JSON object",
        });
        // Before the tree is made, which takes many times as much memory as the text.
        if weight(body) > MAX_WEIGHT {
            return Err(NotAnAnswer("the answer has too many values"));
        }
        let text = String::from_utf8_lossy(body);
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            if error.is_eof() && first == Some(&b'{') {
                NotAnAnswer("the answer's JSON is cut off")
            } else {
                foreign
            }
        })?;
        let Value::Object(map) = value else {
            return Err(foreign);
        };
        Self::from_object(map.into()).ok_or(NotAnAnswer("the answer has no code"))
    }

    /// The answer with every text that is shown to people put through `clean`.
    pub(super) fn cleaned(self, clean: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Service(mut envelope) => {
                envelope.clean(clean);
                Self::Service(envelope)
            }
            Self::Gateway(error) => Self::Gateway(GatewayError {
                code: clean(&error.code),
                message: clean(&error.message),
                request_id: error.request_id.as_deref().map(&clean),
            }),
        }
    }

    fn from_object(mut object: Object<'static>) -> Option<Self> {
        let request_id = object.text("requestId").map(str::to_owned);
        let message = object.message().to_owned();
        let data = object.take_objects("data");
        // Ids were paid for, whatever the code next to them is.
        let names_tasks = data.iter().any(|element| element.task_id().is_some());
        if let Some(code) = object.code().or(names_tasks.then_some(Envelope::NO_CODE)) {
            return Some(Self::Service(Envelope {
                code,
                message,
                request_id,
                data,
            }));
        }
        Some(Self::Gateway(GatewayError {
            code: object.word("code")?,
            message,
            request_id,
        }))
    }
}
