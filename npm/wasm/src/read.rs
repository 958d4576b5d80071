//! Reads compact JSON, as `JSON.stringify` writes it, for serde: `serde_json` would be a fifth of the file.
//!
//! Texts are not unescaped, because no valid name or size has an escape. Numbers are whole, as every setting is.

use serde::{
    Deserialize,
    de::{self, Unexpected, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use crate::failure::{Failure, Result};

/// How deep arrays and objects may be in each other. The settings need two levels.
const MAX_DEPTH: usize = 8;

/// Reads one value that is the whole text.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T> {
    let mut reader = Reader {
        rest: text,
        depth: 0,
    };
    let value = T::deserialize(&mut reader)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(malformed())
    }
}

struct Reader<'de> {
    rest: &'de str,
    depth: usize,
}

fn malformed() -> Failure {
    Failure::new("malformed JSON")
}

impl<'de> Reader<'de> {
    fn peek(&self) -> u8 {
        self.rest.bytes().next().unwrap_or_default()
    }

    /// Skips `token` if it is next.
    fn skips(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.skips(token) {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    /// Takes the first `len` bytes.
    fn take(&mut self, len: usize) -> Result<&'de str> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn string(&mut self) -> Result<&'de str> {
        self.expect("\"")?;
        let mut escaped = false;
        let end = self.rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let text = self.take(end.ok_or_else(malformed)?)?;
        self.expect("\"")?;
        Ok(text)
    }

    fn number(&mut self) -> Result<u64> {
        let is_part = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        let len = self.rest.bytes().take_while(|byte| is_part(*byte)).count();
        let text = self.take(len)?;
        let number = text.parse();
        number.map_err(|_| Failure::new(&format!("`{text}` is not a whole number")))
    }

    /// Reads what is between the brackets of an array or an object.
    fn within<T>(
        &mut self,
        close: &'static str,
        read: impl FnOnce(Items<'_, 'de>) -> Result<T>,
    ) -> Result<T> {
        self.take(1)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(malformed());
        }
        let value = read(Items {
            reader: self,
            close,
            is_first: true,
        })?;
        self.depth -= 1;
        self.expect(close)?;
        Ok(value)
    }
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            b'"' => visitor.visit_borrowed_str(self.string()?),
            b'[' => self.within("]", |items| visitor.visit_seq(items)),
            b'{' => self.within("}", |items| visitor.visit_map(items)),
            b'0'..=b'9' | b'-' => visitor.visit_u64(self.number()?),
            _ if self.skips("true") => visitor.visit_bool(true),
            _ if self.skips("false") => visitor.visit_bool(false),
            _ if self.skips("null") => visitor.visit_unit(),
            _ => Err(malformed()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.skips("null") {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.peek() != b'"' {
            return Err(de::Error::invalid_type(
                Unexpected::Other("value"),
                &"a name",
            ));
        }
        visitor.visit_enum(BorrowedStrDeserializer::new(self.string()?))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The items of an array, or the entries of an object.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    close: &'static str,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Whether another item follows; skips the comma before it.
    fn has_next(&mut self) -> Result<bool> {
        if self.reader.rest.starts_with(self.close) {
            return Ok(false);
        }
        if !self.is_first {
            self.reader.expect(",")?;
        }
        self.is_first = false;
        Ok(true)
    }
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de> {
    type Error = Failure;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>> {
        if self.has_next()? {
            seed.deserialize(&mut *self.reader).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<'de> de::MapAccess<'de> for Items<'_, 'de> {
    type Error = Failure;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.has_next()? {
            let key = self.reader.string()?;
            seed.deserialize(BorrowedStrDeserializer::new(key))
                .map(Some)
        } else {
            Ok(None)
        }
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.reader.expect(":")?;
        seed.deserialize(&mut *self.reader)
    }
}
