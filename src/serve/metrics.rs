//! Metrics in the format of Prometheus, in a recorder of the server's own: the global one belongs to
//! the application.

use std::{fmt, time::Duration};

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder as _, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::limits::Room;
use crate::verdict::Summary;

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Upper bounds of the durations, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

const REQUESTS: &str = "greenlight_requests_total";
const DURATION: &str = "greenlight_request_duration_seconds";
const CHECKS: &str = "greenlight_checks_total";
const VIOLATIONS: &str = "greenlight_violations_total";
const BYTES: &str = "greenlight_image_bytes_total";
const PROBLEMS: &str = "greenlight_problems_total";
const UPLOADS: &str = "greenlight_uploads_in_progress";
const IN_FLIGHT: &str = "greenlight_bytes_in_progress";

pub(super) struct Metrics {
    recorder: PrometheusRecorder,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &SECONDS)
            .expect("there are buckets");
        let recorder = builder.build_recorder();
        let counters = [
            (REQUESTS, "Requests, by route and status."),
            (CHECKS, "Checked images, by route and decision."),
            (VIOLATIONS, "Violations that reject, by code."),
            (BYTES, "Bytes of images that were inspected."),
            (PROBLEMS, "Requests that were not served, by code."),
        ];
        for (name, text) in counters {
            recorder.describe_counter(name.into(), None, text.into());
        }
        let gauges = [
            (UPLOADS, "Images that are being received or downloaded."),
            (IN_FLIGHT, "Bytes of the images that are being received."),
        ];
        for (name, text) in gauges {
            recorder.describe_gauge(name.into(), None, text.into());
        }
        recorder.describe_histogram(
            KeyName::from(DURATION),
            Some(Unit::Seconds),
            "Time from the request head to the response, by route.".into(),
        );
        Self { recorder }
    }

    /// Records a request.
    pub(super) fn requested(&self, route: &str, status: u16, took: Duration) {
        let route = Label::new("route", route.to_owned());
        let status = Label::new("status", status.to_string());
        self.count(REQUESTS, vec![route.clone(), status], 1);
        let key = Key::from_parts(DURATION, vec![route]);
        let histogram = self.recorder.register_histogram(&key, &METADATA);
        histogram.record(took.as_secs_f64());
    }

    /// Records a request that was not served.
    pub(super) fn problem(&self, code: &'static str) {
        self.count(PROBLEMS, vec![Label::new("code", code)], 1);
    }

    /// Records the verdict on an image.
    pub(super) fn checked(&self, route: &'static str, verdict: &Summary) {
        let decision = Label::new("decision", verdict.decision.name());
        self.count(CHECKS, vec![Label::new("route", route), decision], 1);
        for code in verdict.codes(crate::verdict::Severity::Reject) {
            self.count(VIOLATIONS, vec![Label::new("code", code.name())], 1);
        }
        self.count(BYTES, Vec::new(), verdict.bytes.unwrap_or_default());
    }

    /// Returns the current values as text.
    pub(super) fn render(&self, room: &Room) -> String {
        let (uploads, bytes) = room.in_use();
        let bytes = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
        self.set(
            UPLOADS,
            f64::from(u32::try_from(uploads).unwrap_or(u32::MAX)),
        );
        self.set(IN_FLIGHT, f64::from(bytes) * 1_024.0);
        self.recorder.handle().render()
    }

    /// Adds up what was recorded. Without it the memory grows with every request until
    /// [`render`](Self::render).
    pub(super) fn add_up(&self) {
        self.recorder.handle().run_upkeep();
    }

    fn count(&self, name: &'static str, labels: Vec<Label>, by: u64) {
        let key = Key::from_parts(name, labels);
        self.recorder
            .register_counter(&key, &METADATA)
            .increment(by);
    }

    fn set(&self, name: &'static str, value: f64) {
        let gauge = self
            .recorder
            .register_gauge(&Key::from_name(name), &METADATA);
        gauge.set(value);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
