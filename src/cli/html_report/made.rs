//! When, by which versions and with which requirements the images were checked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{
    counts::Counts,
    entry::{ReportEntry, cut},
    words::{fact, grouped},
};
use crate::sanitize::sanitize;
use greenlight::{Provenance, Requirements};

/// Distinct lists, versions and requirements that are shown.
const MAX: usize = 10;

/// The provenance of all images.
#[derive(Debug, Default)]
pub(super) struct Made {
    lists: Counts,
    versions: Counts,
    /// By fingerprint.
    requirements: BTreeMap<String, Used>,
    /// Images with further requirements.
    others: u64,
    /// The first and the last check, in milliseconds since 1970.
    times: Option<(u64, u64)>,
}

/// Requirements and the number of images that were checked by them.
#[derive(Debug)]
struct Used {
    /// Absent if a newer version wrote them.
    requirements: Option<Requirements>,
    images: u64,
}

impl Made {
    pub(super) fn add(&mut self, entry: &ReportEntry) {
        if let Some(list) = &entry.list {
            self.lists.add(&sanitize(&cut(list, 120)));
        }
        if let Some(provenance) = &entry.provenance {
            self.add_provenance(provenance);
        }
    }

    fn add_provenance(&mut self, provenance: &Provenance) {
        self.versions.add(&provenance.version);
        let at = provenance.checked_at;
        let (first, last) = self.times.unwrap_or((at, at));
        self.times = Some((first.min(at), last.max(at)));
        if let Some(used) = self.requirements.get_mut(&provenance.requirements) {
            used.images = used.images.saturating_add(1);
        } else if self.requirements.len() < MAX {
            let requirements = provenance.read_settings().ok();
            let fingerprint = cut(&provenance.requirements, 60);
            let used = Used {
                // Settings of another fingerprint were changed, or are of another version.
                requirements: requirements.filter(|read| read.fingerprint() == fingerprint),
                images: 1,
            };
            self.requirements.insert(fingerprint, used);
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    /// Returns the facts for the head of the page.
    pub(super) fn facts(&self) -> Markup {
        html! {
            @if !self.lists.is_empty() { (fact("lists", &html! { (names(&self.lists)) })) }
            @if let Some((first, last)) = self.times {
                (fact("checked", &html! {
                    time { (minute(first)) }
                    @if minute(first) != minute(last) { " to " time { (minute(last)) } }
                }))
                (fact("checked by", &html! { "greenlight " (names(&self.versions)) }))
                (fact("requirements", &html! {
                    @for (fingerprint, used) in &self.requirements { (used.details(fingerprint)) }
                    @if self.others > 0 {
                        p { "others for " (grouped(self.others)) " images" }
                    }
                }))
            }
        }
    }
}

impl Used {
    fn details(&self, fingerprint: &str) -> Markup {
        let images = match self.images {
            1 => "1 image".to_owned(),
            images => format!("{} images", grouped(images)),
        };
        let Some(requirements) = &self.requirements else {
            return html! { p { "of another version, " code { (fingerprint) } ", " (images) } };
        };
        let usual = settings(&Requirements::ASYNC);
        let all = settings(requirements);
        let is_changed = |name: &str| usual.get(name) != all.get(name);
        let changed = all.keys().filter(|name| is_changed(name)).count();
        let name = match changed {
            0 => "asynchronous preset".to_owned(),
            _ if *requirements == Requirements::SYNC => "synchronous preset".to_owned(),
            1 => "asynchronous preset, 1 setting changed".to_owned(),
            _ => format!("asynchronous preset, {changed} settings changed"),
        };
        html! {
            details.settings {
                summary { (name) ", " code { (fingerprint) } ", " (images) }
                table {
                    tbody {
                        @for (name, value) in &all {
                            tr {
                                th scope="row" { (name) }
                                td { (text(value)) @if is_changed(name) { " (changed)" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The most frequent names.
fn names(counts: &Counts) -> String {
    let all: Vec<_> = counts.sorted().into_iter().map(|(name, _)| name).collect();
    match all.get(..MAX) {
        Some(first) if all.len() > MAX => format!("{} and others", first.join(", ")),
        _ => all.join(", "),
    }
}

/// The settings with their names in a file of requirements.
fn settings(requirements: &Requirements) -> Map<String, Value> {
    match serde_json::to_value(requirements) {
        Ok(Value::Object(mut settings)) => {
            // Each setting is listed.
            settings.remove("preset");
            settings
        }
        _ => Map::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(values) if values.is_empty() => "defaults".to_owned(),
        Value::Object(values) => values
            .iter()
            .map(|(name, value)| format!("{name}: {}", text(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

fn minute(millis: u64) -> String {
    let at = i64::try_from(millis).map(Timestamp::from_millisecond);
    let at = at.ok().and_then(Result::ok).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
