//! The requirements on images: a preset or a file, and single settings on top.

use std::{fs, io::Read as _, str::FromStr, time::Duration};

use clap::{
    Args, ValueHint,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use super::number::whole;
use crate::{
    cli::{
        duration,
        exit::{Failure, reason},
        terminal,
    },
    error::UnknownName,
};
use greenlight::{ByteSize, Enforcement, Format, Preset, Requirements, Rule};

/// No file of requirements is larger, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The formats that only 2.0 documents.
const OF_2_0: [Format; 5] = [
    Format::Tiff,
    Format::Heic,
    Format::Avif,
    Format::Ico,
    Format::Svg,
];

#[derive(Args, Debug)]
#[command(next_help_heading = "Requirements")]
pub(crate) struct RequirementOptions {
    /// Scan to check for: async, sync, v2 [default: async]
    ///
    /// v1-async (or async) and v1-sync (or sync) are of 1.0, up to 20 MB and 5 MB. v2 is of 2.0, with WebP and one
    /// frame of an animation, v2-mainland its smaller limits in mainland China. The default with --api 2.0 is v2, in
    /// regions cn-* v2-mainland.
    #[arg(
        long = "for",
        value_name = "SCAN",
        value_parser = preset(),
        conflicts_with = "requirements",
        hide_possible_values = true
    )]
    scan: Option<Preset>,

    /// Read the requirements from a JSON file
    ///
    /// Its keys are in docs/requirements.md.
    #[arg(long, value_name = "FILE", value_parser = read, value_hint = ValueHint::FilePath)]
    requirements: Option<Requirements>,

    /// Time limit for a URL, from resolving the name to the last byte [default: 3s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, hide_short_help = true)]
    timeout: Option<Duration>,

    /// Largest file: 20MB, 5MiB [default: 20MiB]
    ///
    /// With --for sync the default is 5MiB.
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<ByteSize>,

    /// Smallest width, in pixels [default: 256]
    #[arg(long, value_name = "N", value_parser = whole(0..=u32::MAX), hide_short_help = true)]
    min_width: Option<u32>,

    /// Smallest height, in pixels [default: 256]
    #[arg(long, value_name = "N", value_parser = whole(0..=u32::MAX), hide_short_help = true)]
    min_height: Option<u32>,

    /// Largest width and height, in pixels [default: 30000]
    #[arg(long, value_name = "N", value_parser = whole(0..=u32::MAX), hide_short_help = true)]
    max_side: Option<u32>,

    /// Largest product of width and height [default: 250000000, for GIF 4194304]
    ///
    /// Lowers the limit for GIF as well, but does not raise it; a file of requirements can.
    /// With --for v2 GIF has no limit of its own, and with --for v2-mainland the default is 167000000.
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX), hide_short_help = true)]
    max_pixels: Option<u64>,

    /// Allow a format in addition
    ///
    /// png, jpeg, gif, bmp, webp, tiff, heic, avif, ico or svg; several with commas or by repeating it. The last five are for 2.0 only, and
    /// what is shown of them may differ from what is scanned: the service looks at the last image of an ICO, and
    /// an SVG is measured by its width, height and viewBox, not by its rendering.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = measured(), hide_possible_values = true, hide_short_help = true)]
    allow_format: Vec<Format>,

    /// Make every warning a rejection
    #[arg(long)]
    strict: bool,

    /// Change what a violation code or kind of defect does; may be repeated
    ///
    /// Such as image/type-mismatch=reject or png/ancillary-crc=off.
    #[arg(long, value_name = "CODE=reject|warn|off", hide_short_help = true)]
    enforce: Vec<Enforce>,
}

impl RequirementOptions {
    /// The requirements that the user sets, on top of `default` if no preset is named. An error if no
    /// image can meet them.
    pub(crate) fn build(&self, default: &Requirements) -> Result<Requirements, Failure> {
        let mut built = match (&self.requirements, self.scan) {
            (Some(requirements), _) => requirements.clone(),
            (None, Some(preset)) => preset.requirements(),
            (None, None) => default.clone(),
        };
        if let Some(time) = self.timeout {
            built = built.with_download_time(time);
        }
        if let Some(size) = self.max_bytes {
            built = built.with_max_bytes(size.bytes());
        }
        if let Some(pixels) = self.min_width {
            built = built.with_min_width(pixels);
        }
        if let Some(pixels) = self.min_height {
            built = built.with_min_height(pixels);
        }
        if let Some(pixels) = self.max_side {
            built = built.with_max_side(pixels);
        }
        if let Some(pixels) = self.max_pixels {
            built = built.with_max_pixels_of_all(pixels);
        }
        // Before formats are added, which would make any requirements differ from those of 1.0.
        let is_of_1_0 = built.formats().eq(Requirements::ASYNC.formats());
        for format in &self.allow_format {
            if is_of_1_0 && OF_2_0.contains(format) {
                let message = format!("{format} is documented for 2.0 only, not for 1.0");
                terminal::warning(&message);
            }
            built = built.with_format(*format);
        }
        if self.strict {
            built = built.with_warnings_rejected();
        }
        // Codes sort before kinds of defects, so that a kind overrides its code; the last of
        // one rule decides.
        let mut enforce = self.enforce.clone();
        enforce.sort_by_key(|one| one.rule);
        let enforce = enforce.into_iter();
        let built = enforce.fold(built, |built, one| {
            built.with_enforcement(one.rule, one.enforcement)
        });
        built.validate()?;
        Ok(built)
    }
}

/// Reads the file while the arguments are parsed, so that it is read once: it may be a pipe.
fn read(path: &str) -> Result<Requirements, String> {
    let file = fs::File::open(path).map_err(|error| reason(&error))?;
    let mut text = String::new();
    let mut file = file.take(MAX_FILE + 1);
    file.read_to_string(&mut text)
        .map_err(|error| reason(&error))?;
    if file.limit() == 0 {
        return Err(format!("more than {MAX_FILE} bytes"));
    }
    Requirements::from_json(&text).map_err(|error| error.to_string())
}

fn measured() -> impl TypedValueParser<Value = Format> {
    let measured = Format::ALL.iter().filter(|format| format.is_measured());
    let names: Vec<_> = measured.map(|format| format.name()).collect();
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Format>())
}

fn preset() -> impl TypedValueParser<Value = Preset> {
    let names = Preset::ALL.iter().map(|preset| preset.name());
    let values = names.map(|name| match name {
        "async" | "sync" => PossibleValue::new(name).alias(format!("v1-{name}")),
        _ => PossibleValue::new(name),
    });
    PossibleValuesParser::new(values.collect::<Vec<_>>()).try_map(|name| name.parse::<Preset>())
}

/// A rule and what is done when it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Enforce {
    rule: Rule,
    enforcement: Enforcement,
}

impl FromStr for Enforce {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rule, enforcement) = text
            .split_once('=')
            .ok_or("write CODE=reject, CODE=warn or CODE=off")?;
        let rule: Rule = rule
            .parse()
            .map_err(|error: UnknownName| error.to_string())?;
        let enforcement = enforcement
            .parse()
            .map_err(|error: UnknownName| error.to_string())?;
        if rule.is_fixed() && enforcement != Enforcement::Reject {
            return Err(format!("`{rule}` always rejects"));
        }
        Ok(Self { rule, enforcement })
    }
}
