//! Queries that count impossible rows, in the SQL that all stores understand.

use super::super::State;

/// What is impossible, how to count it, and how to fix it.
pub(super) struct Check {
    pub(super) what: &'static str,
    pub(super) sql: String,
    pub(super) remedy: &'static str,
}

const SCAN_AGAIN: &str = "scan their lists again, which costs nothing for images with an outcome";
const RESTORE: &str = "restore a backup; if there is none, export the ledger, and scan what has no \
    outcome into a new one";
const CLOCK: &str = "synchronize the clocks; the next run takes them over";

/// The longest plausible lease, in milliseconds.
const LONGEST_LEASE: i64 = 24 * 60 * 60 * 1000;

fn list(states: impl IntoIterator<Item = State>) -> String {
    let codes: Vec<_> = states.into_iter().map(|s| s.code().to_string()).collect();
    codes.join(", ")
}

fn check(what: &'static str, sql: String, remedy: &'static str) -> Check {
    Check { what, sql, remedy }
}

fn missing(table: &str, reference: &str, target: &str) -> String {
    count(&format!(
        "{table} WHERE {table}.{reference} IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM {target} WHERE {target}.id = {table}.{reference})"
    ))
}

fn image(condition: &str) -> String {
    count(&format!("image WHERE {condition}"))
}

fn count(from: &str) -> String {
    format!("SELECT CAST(count(*) AS bigint) FROM {from}")
}

/// Returns the checks. `now` is in milliseconds since 1970.
pub(super) fn checks(now: i64) -> Vec<Check> {
    let finals = list(State::ALL.iter().copied().filter(|state| state.is_final()));
    // An uncertain image may wait for a callback only.
    let waits = |state: &State| !state.is_final() && *state != State::Uncertain;
    let waiting = list(State::ALL.iter().copied().filter(waits));
    let decided = list([State::Decided, State::Delivered]);
    let submitted = State::Submitted.code();
    let sending = State::Sending.code();
    // Such leases come from a clock that was far ahead, and would keep their images from all
    // workers.
    let late = now.saturating_add(LONGEST_LEASE);
    vec![
        check(
            "sources without an image",
            missing("source", "image", "image"),
            SCAN_AGAIN,
        ),
        check(
            "sources without a list",
            missing("source", "origin", "origin"),
            SCAN_AGAIN,
        ),
        check(
            "images without a source",
            image("NOT EXISTS (SELECT 1 FROM source WHERE source.image = image.id)"),
            SCAN_AGAIN,
        ),
        check(
            "deliveries without an image",
            missing("outbox", "image", "image"),
            RESTORE,
        ),
        check(
            "deliveries without a source",
            missing("outbox", "source", "source"),
            RESTORE,
        ),
        check(
            "deliveries of images without an outcome",
            count(&format!(
                "outbox JOIN image ON image.id = outbox.image WHERE image.state NOT IN ({finals})"
            )),
            RESTORE,
        ),
        check(
            "tasks without an image",
            missing("task", "image", "image"),
            RESTORE,
        ),
        check(
            "images without their task",
            missing("image", "task", "task"),
            RESTORE,
        ),
        check(
            "images without their batch",
            missing("image", "batch", "batch"),
            RESTORE,
        ),
        check(
            "submitted images without a task id",
            image(&format!("state = {submitted} AND task IS NULL")),
            RESTORE,
        ),
        check(
            "images in a request that is not recorded",
            image(&format!("state = {sending} AND batch IS NULL")),
            RESTORE,
        ),
        check(
            "images in an unknown state",
            image(&format!(
                "state NOT IN ({})",
                list(State::ALL.iter().copied())
            )),
            "use the version of greenlight that wrote them",
        ),
        check(
            "unfinished images that are never due",
            image(&format!("state IN ({waiting}) AND next_at IS NULL")),
            RESTORE,
        ),
        check(
            "finished images that are due",
            image(&format!("state IN ({finals}) AND next_at IS NOT NULL")),
            RESTORE,
        ),
        check(
            "decided images without an outcome",
            image(&format!("state IN ({decided}) AND outcome IS NULL")),
            RESTORE,
        ),
        check(
            "images leased for more than a day from now",
            image(&format!("lease IS NOT NULL AND next_at > {late}")),
            CLOCK,
        ),
    ]
}
