//! What a request asks of its image, within the server's own limits.

use std::fmt;

use axum::{extract::Query, http::Uri};
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::{
    IntoParams, ToSchema,
    openapi::path::{Parameter, ParameterIn},
};

use super::refusal::Refusal;
use crate::{
    format::Format,
    requirements::{Preset, Requirements},
};

/// The query of a request.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The scan that the image is for. Its documented requirements replace the server's, within the
    /// server's limits on size, pixels and time.
    #[serde(rename = "for")]
    #[param(inline)]
    preset: Option<Preset>,
    /// `verdict`: status 200 with the verdict, whatever it is. `http`: a rejected image gets a status
    /// of its own (413, 415, 422) and a problem document.
    #[serde(default)]
    #[param(inline)]
    status: Option<Answer>,
    /// Largest file, in bytes; at most the limit in force.
    #[param(minimum = 1)]
    max_bytes: Option<u64>,
    /// Smallest width, in pixels; at least the limit in force.
    min_width: Option<u32>,
    /// Smallest height, in pixels; at least the limit in force.
    min_height: Option<u32>,
    /// Largest width and height, in pixels; at most the limit in force.
    #[param(minimum = 1)]
    max_side: Option<u32>,
    /// Largest product of width and height; at most the limit in force.
    #[param(minimum = 1)]
    max_pixels: Option<u64>,
    /// Accepted formats, separated by commas, of those that are accepted already, such as `png,jpeg`.
    formats: Option<String>,
    /// Whether every warning is a rejection.
    strict: Option<bool>,
}

/// The refusal of a parameter that is neither of `Wanted` nor of `T`. It lists those of both, while
/// the error of `Query` lists those of `Wanted` only.
fn unknown<T: IntoParams>(uri: &Uri) -> Option<Refusal> {
    let described = |params: Vec<Parameter>| params.into_iter().map(|param| param.name);
    let params = || Some(ParameterIn::Query);
    let known: Vec<String> = described(T::into_params(params))
        .chain(described(Wanted::into_params(params)))
        .collect();
    let query = uri.query().unwrap_or_default();
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let name = names.find(|name| !known.iter().any(|known| known == name))?;
    let known = known.join("`, `");
    let text = format!("unknown parameter `{name}`, expected one of `{known}`");
    Some(Refusal::bad_request("request/query", text))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    #[default]
    Verdict,
    Http,
}

impl Wanted {
    /// Reads the query of a URL.
    pub(super) fn read(uri: &Uri) -> Result<Self, Refusal> {
        let read = Query::try_from_uri(uri);
        let Query(wanted) =
            read.map_err(|error| Refusal::bad_request("request/query", error.body_text()))?;
        Ok(wanted)
    }

    /// Reads the query of a URL, except the parameters that `others` accepts. `T` describes these.
    pub(super) fn read_with<T: IntoParams>(
        uri: &Uri,
        mut others: impl FnMut(&str, &str) -> Result<bool, Refusal>,
    ) -> Result<Self, Refusal> {
        let query = uri.query().unwrap_or_default();
        let mut own = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !others(&name, &value)? {
                own.append_pair(&name, &value);
            }
        }
        // `Query` rejects parameters that it does not know, so the others are removed first.
        let own = Uri::builder()
            .path_and_query(format!("/?{}", own.finish()))
            .build();
        let own = own.map_err(|error| Refusal::bad_request("request/query", error.to_string()))?;
        Self::read(&own).map_err(|refusal| unknown::<T>(&own).unwrap_or(refusal))
    }

    /// The same, with a status for each rejected image.
    pub(super) const fn with_status(mut self) -> Self {
        self.status = Some(Answer::Http);
        self
    }

    /// Whether a rejected image gets a status of its own.
    pub(super) fn by_status(&self) -> bool {
        self.status == Some(Answer::Http)
    }

    /// Returns the requirements of this request.
    pub(super) fn requirements(&self, server: &Requirements) -> Result<Requirements, Refusal> {
        self.build(server)
            .map_err(|what| Refusal::bad_request("request/requirements", what))
    }

    fn build(&self, server: &Requirements) -> Result<Requirements, String> {
        let mut built = self
            .preset
            .map_or_else(|| server.clone(), |preset| within(preset, server));
        if let Some(bytes) = self.max_bytes {
            at_most("max_bytes", bytes, built.max_bytes())?;
            built = built.with_max_bytes(bytes);
        }
        if let Some(pixels) = self.min_width {
            at_least("min_width", pixels, built.min_width())?;
            built = built.with_min_width(pixels);
        }
        if let Some(pixels) = self.min_height {
            at_least("min_height", pixels, built.min_height())?;
            built = built.with_min_height(pixels);
        }
        if let Some(pixels) = self.max_side {
            at_most("max_side", pixels, built.max_side())?;
            built = built.with_max_side(pixels);
        }
        if let Some(pixels) = self.max_pixels {
            at_most("max_pixels", pixels, built.max_pixels())?;
            built = built.with_max_pixels_of_all(pixels);
        }
        if let Some(formats) = &self.formats {
            built = only(built, formats)?;
        }
        if self.strict == Some(true) {
            built = built.with_warnings_rejected();
        }
        built.validate().map_err(|error| error.to_string())?;
        Ok(built)
    }
}

/// Returns the requirements of a preset, as far as the server's limits allow.
fn within(preset: Preset, server: &Requirements) -> Requirements {
    let preset = preset.requirements();
    let warn = preset.warn_bytes();
    let side = preset.max_side().min(server.max_side());
    let pixels = preset.max_pixels().min(server.max_pixels());
    let time = preset.download_time().min(server.download_time());
    let bytes = preset.max_bytes().min(server.max_bytes());
    preset
        .with_max_bytes(bytes)
        // After `with_max_bytes`, which sets this limit, too.
        .with_warn_bytes(warn)
        .with_max_side(side)
        .with_max_pixels_of_all(pixels)
        .with_download_time(time)
}

fn at_most<T: PartialOrd + Copy + fmt::Display>(
    name: &str,
    value: T,
    limit: T,
) -> Result<(), String> {
    if value > limit {
        return Err(format!(
            "{name} of {value} exceeds the server's limit of {limit}"
        ));
    }
    Ok(())
}

fn at_least<T: PartialOrd + Copy + fmt::Display>(
    name: &str,
    value: T,
    limit: T,
) -> Result<(), String> {
    if value < limit {
        return Err(format!(
            "{name} of {value} is below the server's limit of {limit}"
        ));
    }
    Ok(())
}

/// Removes the formats that are not in the list.
fn only(requirements: Requirements, list: &str) -> Result<Requirements, String> {
    let mut kept = Vec::new();
    for name in list.split(',') {
        let format: Format = name
            .trim()
            .parse()
            .map_err(|error: crate::error::UnknownName| format!("formats: {error}"))?;
        if !requirements.allows(format) {
            return Err(format!("formats: {format} is not accepted"));
        }
        kept.push(format);
    }
    let all: Vec<Format> = requirements.formats().collect();
    let others = all.into_iter().filter(|format| !kept.contains(format));
    Ok(others.fold(requirements, Requirements::without_format))
}
