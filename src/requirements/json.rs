//! Requirements as JSON, described in `docs/requirements.md`.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::{ByteSize, MAX_HEIC_SIDE, Preset, Requirements, Rule, kinds};
use crate::{
    error::{Error, ErrorKind},
    format::Format,
    frames::FRAME_CAP,
    verdict::Enforcement,
};

/// The object. Absent settings are those of the preset.
#[derive(Default, Deserialize, Serialize)]
// A misspelled setting must be an error: ignored, its limit would not apply.
#[serde(default, deny_unknown_fields)]
struct Document {
    preset: Preset,
    formats: Option<Vec<Format>>,
    max_bytes: Option<ByteSize>,
    warn_bytes: Option<ByteSize>,
    min_width: Option<u32>,
    min_height: Option<u32>,
    max_side: Option<u32>,
    max_pixels: Option<u64>,
    max_gif_pixels: Option<u64>,
    max_url_chars: Option<usize>,
    download_time_ms: Option<u64>,
    /// Not written if it is the default, so that fingerprints stay as they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_cap: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_heic_side: Option<u32>,
    #[serde(skip_serializing_if = "is_false")]
    reject_warnings: bool,
    /// Codes sort before kinds of defects, so that a kind overrides its code.
    #[serde(deserialize_with = "rules")]
    enforce: BTreeMap<Rule, Enforcement>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Requirements {
    /// Reads requirements from JSON text, as `Deserialize` does: an object whose settings replace
    /// those of its `preset`. They are also [validated](Self::validate).
    ///
    /// ```
    /// use greenlight::{Format, Requirements};
    ///
    /// let text = r#"{"preset": "sync", "max_bytes": "4MB", "enforce": {"image/type-mismatch": "reject"}}"#;
    /// let requirements = Requirements::from_json(text)?;
    /// assert_eq!(requirements.max_bytes(), 4_000_000);
    /// assert!(requirements.allows(Format::Png));
    /// # Ok::<(), greenlight::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for text that is not such an object, with the line and column, and for
    /// settings that no image can meet.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        // Some editors begin UTF-8 with a byte order mark (RFC 8259, 8.1, allows readers to ignore
        // it).
        let requirements = Self::read(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        requirements.validate()?;
        Ok(requirements)
    }

    pub(super) fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map_err(|error| Error::new(ErrorKind::Usage, format_args!("requirements: {error}")))
    }
}

impl Requirements {
    /// Returns 16 hexadecimal digits that identify these requirements in a stored verdict. Equal
    /// requirements have equal fingerprints, also of another version with the same rules.
    ///
    /// ```
    /// use greenlight::Requirements;
    ///
    /// let site = Requirements::ASYNC.with_max_bytes(5 << 20);
    /// assert_eq!(site.fingerprint(), Requirements::SYNC.with_max_bytes(5 << 20).fingerprint());
    /// assert_ne!(site.fingerprint(), Requirements::ASYNC.fingerprint());
    /// ```
    #[expect(
        clippy::missing_panics_doc,
        reason = "numbers, names and lists have a JSON form"
    )]
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(self).expect("numbers, names and lists have a JSON form");
        // FNV-1a, 64 bits: no input is chosen to collide.
        let hash = text.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
        });
        format!("{hash:016x}")
    }

    /// Returns the settings that differ from [`ASYNC`](Self::ASYNC), as JSON.
    pub(super) fn changed_settings(&self) -> Map<String, Value> {
        let settings = |of: &Self| match serde_json::to_value(of) {
            Ok(Value::Object(settings)) => settings,
            _ => Map::new(),
        };
        if *self == Self::ASYNC {
            return Map::new();
        }
        let (mut changed, usual) = (settings(self), settings(&Self::ASYNC));
        // Without a second one, a largest size sets both.
        let has_size = changed.get("max_bytes") != usual.get("max_bytes");
        changed.retain(|name, value| {
            usual.get(name) != Some(value) || (has_size && name == "warn_bytes")
        });
        changed
    }
}

impl<'de> Deserialize<'de> for Requirements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = deserializer.deserialize_map(ObjectVisitor)?;
        let mut requirements = document.preset.requirements();
        document.set_limits(&mut requirements)?;
        if document.reject_warnings {
            requirements = requirements.with_warnings_rejected();
        }
        let mut fixed = document.enforce.iter().filter(|(rule, _)| rule.is_fixed());
        // `with_enforcement` ignores such a rule, but a file that sets it contains a mistake.
        if let Some((rule, _)) = fixed.find(|(_, enforcement)| **enforcement != Enforcement::Reject)
        {
            return Err(de::Error::custom(format_args!("`{rule}` always rejects")));
        }
        for (rule, enforcement) in &document.enforce {
            requirements = requirements.with_enforcement(*rule, *enforcement);
        }
        Ok(requirements)
    }
}

/// Accepts an object only: a derived `Deserialize` also reads the fields from an array.
struct ObjectVisitor;

impl<'de> de::Visitor<'de> for ObjectVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of settings")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Document, A::Error> {
        Document::deserialize(de::value::MapAccessDeserializer::new(map))
    }
}

impl Document {
    fn set_limits<E: de::Error>(&self, requirements: &mut Requirements) -> Result<(), E> {
        if let Some(formats) = &self.formats {
            requirements.formats = formats.iter().fold(0, |bits, format| bits | format.bit());
        }
        if let Some(max) = self.max_bytes {
            // A site that states a size has chosen its megabyte: the preset's warning does not
            // apply.
            (requirements.max_bytes, requirements.warn_bytes) = (max.bytes(), max.bytes());
        }
        if let Some(warn) = self.warn_bytes {
            let max = requirements.max_bytes;
            if warn.bytes() > max {
                return Err(E::custom(format_args!(
                    "`warn_bytes` of {warn} exceeds the largest file of {max} bytes"
                )));
            }
            requirements.warn_bytes = warn.bytes();
        }
        let Requirements {
            min_width,
            min_height,
            max_side,
            max_pixels,
            max_gif_pixels,
            max_url_chars,
            download_time,
            frame_cap,
            max_heic_side,
            ..
        } = requirements;
        set(min_width, self.min_width);
        set(min_height, self.min_height);
        set(max_side, self.max_side);
        set(max_pixels, self.max_pixels);
        set(max_gif_pixels, self.max_gif_pixels);
        set(max_url_chars, self.max_url_chars);
        set(frame_cap, self.frame_cap);
        set(max_heic_side, self.max_heic_side);
        set(
            download_time,
            self.download_time_ms.map(Duration::from_millis),
        );
        Ok(())
    }
}

/// Reads an object of rules, each at most once: of two values for one rule, either may be a
/// mistake.
fn rules<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Rule, Enforcement>, D::Error> {
    struct RulesVisitor;

    impl<'de> de::Visitor<'de> for RulesVisitor {
        type Value = BTreeMap<Rule, Enforcement>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of rules")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut rules = BTreeMap::new();
            while let Some((rule, enforcement)) = map.next_entry::<Rule, Enforcement>()? {
                if rules.insert(rule, enforcement).is_some() {
                    return Err(de::Error::custom(format_args!("`{rule}` is set twice")));
                }
            }
            Ok(rules)
        }
    }

    deserializer.deserialize_map(RulesVisitor)
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

/// Every limit, and the rules that differ from the preset's. A download time is rounded up to
/// milliseconds.
impl Serialize for Requirements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = self.download_time.as_nanos().div_ceil(1_000_000);
        let enforce = Rule::all()
            // The codes of defects are the sum of their kinds.
            .filter(|rule| !matches!(rule, Rule::Code(code) if kinds(*code).next().is_some()))
            .map(|rule| (rule, self.enforcement(rule)))
            .filter(|(rule, enforcement)| Self::ASYNC.enforcement(*rule) != *enforcement);
        let document = Document {
            // Limits are written in full; rules are written as differences from this preset.
            preset: Preset::Async,
            formats: Some(self.formats().collect()),
            max_bytes: Some(ByteSize::new(self.max_bytes)),
            warn_bytes: Some(ByteSize::new(self.warn_bytes)),
            min_width: Some(self.min_width),
            min_height: Some(self.min_height),
            max_side: Some(self.max_side),
            max_pixels: Some(self.max_pixels),
            max_gif_pixels: Some(self.max_gif_pixels),
            max_url_chars: Some(self.max_url_chars),
            download_time_ms: Some(u64::try_from(millis).unwrap_or(u64::MAX)),
            frame_cap: (self.frame_cap != FRAME_CAP).then_some(self.frame_cap),
            max_heic_side: (self.max_heic_side != MAX_HEIC_SIDE).then_some(self.max_heic_side),
            reject_warnings: false,
            enforce: enforce.fold(BTreeMap::new(), |mut rules, (rule, enforcement)| {
                rules.insert(rule, enforcement);
                rules
            }),
        };
        document.serialize(serializer)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.bytes())
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl de::Visitor<'_> for SizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number of bytes, or a text such as \"20MB\" or \"5MiB\"")
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Self::Value, E> {
        Ok(ByteSize::new(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map_err(E::custom)
    }
}
