//! Settings that reject every image.

use super::Requirements;
use crate::{
    code::Code,
    error::{Error, ErrorKind},
    format::Format,
    verdict::{Enforcement, listed},
};

impl Requirements {
    /// Checks that an image can meet the limits together.
    ///
    /// ```
    /// use greenlight::Requirements;
    ///
    /// assert!(Requirements::ASYNC.validate().is_ok());
    /// let error = Requirements::ASYNC.with_max_side(200).validate().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "requirements: `max_side` of 200 is below `min_width` of 256: no image meets both"
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`], which names the settings as JSON does, if a limit
    /// is zero, no format is allowed, or a minimum exceeds a maximum, and the rule rejects; and if a
    /// format is allowed whose images are [not measured](Format::is_measured), or
    /// [`frame_cap`](Self::frame_cap) is zero.
    pub fn validate(&self) -> Result<(), Error> {
        match self.contradiction() {
            None => Ok(()),
            Some(text) => Err(Error::new(
                ErrorKind::Usage,
                format_args!("requirements: {text}"),
            )),
        }
    }

    /// Returns the first setting that makes no sense. Limits whose rules only warn or are off contradict nothing.
    fn contradiction(&self) -> Option<String> {
        let rejects = |code: &Code| self.enforcement(*code) == Enforcement::Reject;
        if self.formats == 0 && rejects(&Code::ImageFormatUnsupported) {
            return Some("`formats` names no format: no image meets it".to_owned());
        }
        if let Some(format) = self.formats().find(|format| !format.is_measured()) {
            let measured = Format::ALL
                .iter()
                .copied()
                .filter(|format| format.is_measured());
            let names: Vec<_> = measured.map(Format::name).collect();
            return Some(format!(
                "`formats` names {format}, which is not measured, so that no image of it is accepted: allowed are {}",
                listed(&names, ", ")
            ));
        }
        if self.frame_cap == 0 {
            return Some("`frame_cap` is 0: at least one frame is scanned".to_owned());
        }
        let zero = [
            ("max_bytes", self.max_bytes == 0, Code::ImageTooLarge),
            ("max_url_chars", self.max_url_chars == 0, Code::UrlTooLong),
            (
                "download_time_ms",
                self.download_time.is_zero(),
                Code::DownloadTooSlow,
            ),
        ];
        if let Some((name, ..)) = zero
            .iter()
            .find(|(_, is_zero, code)| *is_zero && rejects(code))
        {
            return Some(format!("`{name}` is 0: no image meets it"));
        }
        // A minimum that only warns contradicts no maximum.
        if !rejects(&Code::ImageTooSmall) {
            return None;
        }
        let least = u64::from(self.min_width) * u64::from(self.min_height);
        let [width, height, side] = [self.min_width, self.min_height, self.max_side].map(u64::from);
        let (long, many) = (Code::ImageSideTooLong, Code::ImageTooManyPixels);
        let both = "min_width` x `min_height";
        let pairs = [
            ("max_side", side, "min_width", width, long),
            ("max_side", side, "min_height", height, long),
            ("max_pixels", self.max_pixels, both, least, many),
        ];
        let (max, below, min, above, _) = pairs
            .into_iter()
            .find(|(_, max, _, min, code)| max < min && rejects(code))?;
        Some(format!(
            "`{max}` of {below} is below `{min}` of {above}: no image meets both"
        ))
    }
}
