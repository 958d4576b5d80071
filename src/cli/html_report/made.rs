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
use greenlight::{Preset, Provenance, Requirements, Rule};

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
        let (preset, rows) = nearest(requirements);
        let changed = rows.iter().filter(|row| row.is_changed).count();
        let name = match changed {
            0 => format!("preset {preset}"),
            1 => format!("preset {preset}, 1 setting changed"),
            _ => format!("preset {preset}, {changed} settings changed"),
        };
        html! {
            details.settings {
                summary { (name) ", " code { (fingerprint) } ", " (images) }
                table {
                    tbody {
                        @for row in &rows {
                            tr {
                                th scope="row" { (row.name) }
                                td { (text(&row.value)) @if row.is_changed { " (changed)" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A setting, and whether it differs from that of the preset.
struct Setting {
    name: String,
    value: Value,
    is_changed: bool,
}

/// Returns the preset from which the fewest settings differ, and the settings. Several presets may
/// be as near, because they differ in few settings: then that whose size is lowered, not raised,
/// because the service accepts no more than the preset's.
fn nearest(requirements: &Requirements) -> (Preset, Vec<Setting>) {
    let presets = Preset::ALL.iter().copied();
    let compared = presets.map(|preset| (preset, compared(requirements, preset)));
    let distance = |(preset, rows): &(Preset, Vec<Setting>)| {
        let changed = rows.iter().filter(|row| row.is_changed).count();
        let (its, ours) = (preset.requirements().max_bytes(), requirements.max_bytes());
        (changed, its < ours, its.abs_diff(ours))
    };
    compared
        .min_by_key(distance)
        .unwrap_or_else(|| (Preset::default(), Vec::new()))
}

/// The settings, compared with those of a preset. Each rule is a setting of its own; those that are
/// as in every preset are not listed.
fn compared(requirements: &Requirements, preset: Preset) -> Vec<Setting> {
    let preset = preset.requirements();
    let (mut ours, mut theirs) = (settings(requirements), settings(&preset));
    let [mut rules, its_rules] = [&mut ours, &mut theirs].map(|of| match of.remove("enforce") {
        Some(Value::Object(rules)) => rules,
        _ => Map::new(),
    });
    // A rule that is not written is the default, which the preset may have changed.
    for (rule, _) in its_rules {
        if let Ok(known) = rule.parse::<Rule>() {
            let enforcement = requirements.enforcement(known).name();
            rules.insert(rule, enforcement.into());
        }
    }
    let limits = ours.into_iter().map(|(name, value)| Setting {
        is_changed: theirs.get(&name) != Some(&value),
        name,
        value,
    });
    let rules = rules.into_iter().map(|(name, value)| {
        let rule = name.parse::<Rule>().ok();
        let its = rule.map(|rule| preset.enforcement(rule).name());
        Setting {
            is_changed: its.is_none_or(|its| value != its),
            name,
            value,
        }
    });
    limits.chain(rules).collect()
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
            // Each setting is listed, and these two are not written if they are the default.
            settings.remove("preset");
            settings.insert("frame_cap".to_owned(), requirements.frame_cap().into());
            settings.insert(
                "max_heic_side".to_owned(),
                requirements.max_heic_side().into(),
            );
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
        other => other.to_string(),
    }
}

fn minute(millis: u64) -> String {
    let at = i64::try_from(millis).map(Timestamp::from_millisecond);
    let at = at.ok().and_then(Result::ok).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
