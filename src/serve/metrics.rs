//! Metrics in the format of Prometheus, in a recorder of the server's own: the global one belongs to
//! the application.

use std::{
    fmt,
    ops::{Add, AddAssign},
    time::{Duration, SystemTime},
};

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder as _, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::{clock, images::Usage, limits::Room, scan_answer};
use crate::{
    ledger::{OutboxCounts, Row},
    pipeline::Progress,
    verdict::Summary,
};

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
const SCANS: &str = "greenlight_scans_total";
const SCAN_TIME: &str = "greenlight_scan_duration_seconds";
const SENT: &str = "greenlight_images_sent_total";
const PAID: &str = "greenlight_images_paid_total";
const RESUBMITTED: &str = "greenlight_images_resubmitted_total";
const WAITING: &str = "greenlight_images_waiting";
const OLDEST: &str = "greenlight_images_waiting_seconds";
const HELD: &str = "greenlight_images_held_bytes";
const WEBHOOKS: &str = "greenlight_webhook_attempts_total";
const PENDING: &str = "greenlight_webhooks_pending";
const ABANDONED: &str = "greenlight_webhooks_abandoned";

/// Upper bounds of the times until an outcome, in seconds: results are kept for an hour and more.
const SCAN_SECONDS: [f64; 10] = [
    0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0,
];

pub(super) struct Metrics {
    recorder: PrometheusRecorder,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &SECONDS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Full(SCAN_TIME.to_owned()), &SCAN_SECONDS)
            })
            .expect("there are buckets");
        let recorder = builder.build_recorder();
        let counters = [
            (REQUESTS, "Requests, by route and status."),
            (CHECKS, "Checked images, by route and decision."),
            (VIOLATIONS, "Violations that reject, by code."),
            (BYTES, "Bytes of images that were inspected."),
            (PROBLEMS, "Requests that were not served, by code."),
            (SCANS, "Final scans, by decision."),
            (SENT, "Images in requests to the service."),
            (PAID, "Images that the service accepted, which bills them."),
            (
                RESUBMITTED,
                "Images that were sent again although they may have been billed.",
            ),
            (WEBHOOKS, "Attempts to deliver an outcome, by result."),
        ];
        for (name, text) in counters {
            recorder.describe_counter(name.into(), None, text.into());
        }
        let gauges = [
            (UPLOADS, "Images that are being received or downloaded."),
            (IN_FLIGHT, "Bytes of the images that are being received."),
            (WAITING, "Images on disk, which wait for their outcomes."),
            (OLDEST, "Age of the oldest of them, in seconds."),
            (HELD, "Their bytes."),
            (PENDING, "Outcomes that are not delivered yet."),
            (ABANDONED, "Outcomes whose delivery was abandoned."),
        ];
        for (name, text) in gauges {
            recorder.describe_gauge(name.into(), None, text.into());
        }
        recorder.describe_histogram(
            KeyName::from(DURATION),
            Some(Unit::Seconds),
            "Time from the request head to the response, by route.".into(),
        );
        recorder.describe_histogram(
            KeyName::from(SCAN_TIME),
            Some(Unit::Seconds),
            "Time from an upload to its outcome.".into(),
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

    /// Records a final scan, and the time that it took.
    pub(super) fn scanned(&self, row: &Row, took: Option<Duration>) {
        let decision = Label::new("decision", scan_answer::decision(row));
        self.count(SCANS, vec![decision], 1);
        if let Some(took) = took {
            let key = Key::from_static_name(SCAN_TIME);
            let histogram = self.recorder.register_histogram(&key, &METADATA);
            histogram.record(took.as_secs_f64());
        }
    }

    /// Records what was submitted so far.
    pub(super) fn submitted(&self, so_far: Submissions) {
        let Submissions(counts) = so_far;
        for (name, count) in [SENT, PAID, RESUBMITTED].into_iter().zip(counts) {
            let key = Key::from_static_name(name);
            self.recorder
                .register_counter(&key, &METADATA)
                // Set and not incremented, because a run counts from its own start.
                .absolute(count);
        }
    }

    /// Records an attempt to deliver an outcome.
    pub(super) fn delivered(&self, result: &'static str) {
        self.count(WEBHOOKS, vec![Label::new("result", result)], 1);
    }

    /// Returns the current values as text.
    pub(super) fn render(
        &self,
        room: &Room,
        images: Option<Usage>,
        outbox: Option<OutboxCounts>,
    ) -> String {
        let (uploads, bytes) = room.in_use();
        self.set(UPLOADS, u64::try_from(uploads).unwrap_or(u64::MAX));
        self.set(IN_FLIGHT, bytes);
        if let Some(images) = images {
            let age = |time: SystemTime| clock::now().duration_since(time).unwrap_or_default();
            self.set(WAITING, images.files);
            self.set(OLDEST, images.oldest.map_or(0, |time| age(time).as_secs()));
            self.set(HELD, images.bytes);
        }
        if let Some(outbox) = outbox {
            self.set(PENDING, outbox.pending);
            self.set(ABANDONED, outbox.abandoned);
        }
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

    fn set(&self, name: &'static str, value: u64) {
        let gauge = self
            .recorder
            .register_gauge(&Key::from_static_name(name), &METADATA);
        let half = |value: u64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
        // Exact up to 2^53.
        gauge.set(half(value >> 32) * 4_294_967_296.0 + half(value & 0xffff_ffff));
    }
}

/// Counts of images: sent, paid, and sent again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Submissions([u64; 3]);

impl Submissions {
    pub(super) const fn of(progress: Progress) -> Self {
        Self([progress.sent, progress.submitted, progress.resubmitted])
    }
}

impl Add for Submissions {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for Submissions {
    fn add_assign(&mut self, Self(others): Self) {
        for (count, other) in self.0.iter_mut().zip(others) {
            *count = count.saturating_add(other);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
