//! The ledger in PostgreSQL: requirements on shared ledgers.

#![allow(
    clippy::disallowed_methods,
    reason = "the clock that is compared is the machine's"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use greenlight::{
    ErrorKind, Scene,
    ledger::{Ledger, PostgresLedger, Resubmit, Scope, State, Work},
};

use super::{block_on, image, scope};
use crate::postgres_server::{Server, fresh_url};

const LEASE: Duration = Duration::from_secs(600);

async fn open(url: &str) -> PostgresLedger {
    PostgresLedger::open(url, &scope()).await.unwrap()
}

fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(feature = "conformance")]
#[test]
fn postgres_passes_the_conformance_suite() {
    for case in greenlight::ledger::conformance::CASES {
        let Some(url) = fresh_url() else { return };
        println!("{}", case.name()); // shown when it fails
        block_on(async {
            let [first, second] = [open(&url).await, open(&url).await];
            case.run([Arc::new(first), Arc::new(second)]).await;
        });
    }
}

#[test]
fn a_ledger_of_another_scope_is_rejected() {
    let Some(url) = fresh_url() else { return };
    block_on(async {
        let absent = PostgresLedger::open_existing(&url).await.unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::Usage);
        assert!(
            absent.to_string().contains("there is no ledger"),
            "{absent}"
        );
        drop(open(&url).await);
        let found = PostgresLedger::open_existing(&url).await.unwrap();
        assert_eq!(found.scope(), &scope());
        let other = Scope::new(&[Scene::Ad, Scene::Porn])
            .with_account("other")
            .with_service("green.example.com");
        let error = PostgresLedger::open(&url, &other).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("belongs to account `account`, not `other`"),
            "{text}"
        );
        let reader = PostgresLedger::options().read_only();
        let reader = reader.open_existing(&url).await.unwrap();
        assert_eq!(reader.stats(now()).await.unwrap().images(), 0);
    });
}

/// The claims of a worker are freed when its connection ends, and not before.
#[test]
fn only_dead_workers_are_taken_over() {
    let Some(url) = fresh_url() else { return };
    block_on(async {
        let (gone, there, third) = (open(&url).await, open(&url).await, open(&url).await);
        let images = (1..=2).map(image).collect();
        gone.enqueue(images, now()).await.unwrap();
        let claim = async |ledger: &PostgresLedger| {
            let claimed = ledger.claim(Work::Probe, 1, LEASE, now()).await.unwrap();
            claimed.first().map(|claimed| claimed.hold.key)
        };
        let (lost, kept) = (claim(&gone).await.unwrap(), claim(&there).await.unwrap());
        assert_ne!(lost, kept);
        assert_eq!(third.take_over(LEASE, now()).await.unwrap(), 0);
        drop(gone);
        let mut again = None;
        for _ in 0..500 {
            // As a run does regularly.
            third.recover(Resubmit::Never, now()).await.unwrap();
            again = claim(&third).await;
            if again.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(again, Some(lost));
        assert_eq!(claim(&third).await, None, "the other one is held");
    });
}

/// Numbers are assigned before they become visible: a reader must not skip those of an open
/// transaction.
#[test]
fn rows_become_visible_in_order() {
    let Some(url) = fresh_url() else { return };
    block_on(async {
        let reader = open(&url).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..2_u32 {
            let url = url.clone();
            writers.spawn(async move {
                let ledger = open(&url).await;
                for part in 0..40 {
                    let first = (writer * 40 + part) * 25;
                    let images = (first..first + 25).map(image).collect();
                    ledger.enqueue(images, now()).await.unwrap();
                }
            });
        }
        let mut seen = Vec::new();
        loop {
            let is_done = writers.is_empty();
            let after = seen.last().copied().unwrap_or(0);
            let rows = greenlight::ledger::Rows {
                after,
                limit: 1_000,
                state: None,
            };
            let rows = reader.rows(rows).await.unwrap();
            seen.extend(rows.iter().map(|row| row.number));
            if rows.is_empty() && is_done {
                break;
            }
            tokio::select! {
                Some(done) = writers.join_next() => done.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
        assert_eq!(seen.len(), 2 * 40 * 25, "none was skipped");
    });
}

/// A worker whose clock is ahead must not resubmit images that may still be in flight.
#[test]
fn the_clock_of_a_worker_is_corrected_or_rejected() {
    let Some(url) = fresh_url() else { return };
    block_on(async {
        let ledger = open(&url).await;
        let ahead = |seconds| move || SystemTime::now() + Duration::from_secs(seconds);
        let far = PostgresLedger::options().clock(ahead(120));
        let error = far.open(&url, &scope()).await.unwrap_err();
        assert!(error.to_string().contains("differ by 1"), "{error}");
        ledger.enqueue(vec![image(1)], now()).await.unwrap();
        let claimed = ledger.claim(Work::Probe, 1, LEASE, now()).await.unwrap();
        let finding = greenlight::ledger::Finding {
            hold: claimed[0].hold,
            judgement: greenlight::ledger::Judgement::Accepted,
            facts: None,
            billed: 1,
        };
        ledger.record_findings(vec![finding], now()).await.unwrap();
        let claimed = ledger.claim(Work::Submit, 1, LEASE, now()).await.unwrap();
        let (sent_at, settle) = (now(), Duration::from_secs(30));
        let begun = ledger.begin_batch(vec![claimed[0].hold], settle, sent_at);
        assert_eq!(begun.await.unwrap().keys.len(), 1);
        let near = PostgresLedger::options().clock(ahead(50));
        let near = near.open(&url, &scope()).await.unwrap();
        let local = || now() + Duration::from_secs(50);
        let early = near.recover(Resubmit::WhenSettled, local()).await.unwrap();
        assert_eq!((early.uncertain, early.resubmitted), (0, 0));
        let backlog = near.backlog().await.unwrap();
        let (state, due) = backlog.due[0];
        assert_eq!(state, State::Sending);
        let expected = sent_at + settle + Duration::from_secs(50);
        let off = due
            .duration_since(expected)
            .unwrap_or_else(|early| early.duration());
        assert!(
            off < Duration::from_secs(2),
            "in the worker's own time: {off:?}"
        );
        let in_time = local() + Duration::from_secs(31);
        let settled = near.recover(Resubmit::WhenSettled, in_time).await.unwrap();
        assert_eq!((settled.uncertain, settled.resubmitted), (1, 1));
    });
}

#[test]
fn one_process_at_a_time_prints() {
    let Some(url) = fresh_url() else { return };
    block_on(async {
        let (first, second) = (open(&url).await, open(&url).await);
        let lock = first.try_lock_printer().await.unwrap().unwrap();
        assert!(lock.is_held());
        assert!(second.try_lock_printer().await.unwrap().is_none());
        drop(lock);
        for _ in 0..500 {
            if second.try_lock_printer().await.unwrap().is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the lock was never released");
    });
}

/// A line of a list may contain any character.
#[test]
fn texts_with_u_0000_are_stored() {
    let Some(url) = fresh_url() else { return };
    block_on(async {
        let ledger = open(&url).await;
        let mut odd = image(1);
        odd.source.origin = "a\0b".repeat(1_000);
        odd.source.text = Some("c\0d".repeat(2_000));
        odd.source.data_id = Some("\0".to_owned());
        odd.location = greenlight::ledger::Location::Url("e\0f".to_owned());
        let expected = odd.source.clone();
        for is_new in [true, false] {
            let noted = ledger.enqueue(vec![odd.clone()], now()).await.unwrap();
            assert_eq!(noted[0].new_source, is_new);
        }
        let rows = greenlight::ledger::Rows {
            after: 0,
            limit: 9,
            state: None,
        };
        let rows = ledger.rows(rows).await.unwrap();
        assert_eq!(rows[0].source, expected);
        assert_eq!(rows[0].location, odd.location);
    });
}

/// The certificate is for `localhost`, and the server is also reached as `127.0.0.1`.
#[test]
fn tls_is_verified_according_to_sslmode() {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let Some(server) = Server::start_with_tls("tls", &certificate, &key.serialize_pem()) else {
        return;
    };
    let roots = super::fresh_path("roots");
    std::fs::write(&roots, &certificate).unwrap();
    let trusted = format!("&sslrootcert={}", roots.display());
    let numeric = server.url().to_owned();
    let named = numeric.replace("127.0.0.1", "localhost");
    let try_open = |url: &str, mode: &str, roots: &str| {
        let sign = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{sign}sslmode={mode}{roots}");
        block_on(async { PostgresLedger::open(&url, &scope()).await.map(drop) })
    };
    for (url, mode, roots) in [
        (&named, "verify-full", &*trusted),
        (&numeric, "verify-ca", &*trusted),
        (&numeric, "require", ""),
        (&numeric, "prefer", ""),
    ] {
        let opened = try_open(url, mode, roots);
        assert!(opened.is_ok(), "{url} {mode} {roots}: {opened:?}");
    }
    // A Unix socket has no name that could be verified.
    let socket = server.socket_url();
    for mode in ["prefer", "verify-full"] {
        let opened = try_open(&socket, mode, "");
        assert!(opened.is_ok(), "{socket} {mode}: {opened:?}");
    }
    for (url, mode, roots, why) in [
        (&numeric, "verify-full", &*trusted, "not valid for name"),
        (&named, "verify-full", "", "UnknownIssuer"),
        (&named, "verify-ca", "", "UnknownIssuer"),
        (&numeric, "disable", "", "no encryption"),
    ] {
        let error = try_open(url, mode, roots).unwrap_err().report();
        assert!(error.contains(why), "{url} {mode} {roots}: {error}");
    }
}

#[test]
fn workers_are_listed_while_they_are_connected() {
    let Some(url) = fresh_url() else { return };
    block_on(async {
        let scope = scope();
        let named = |name| PostgresLedger::options().name(name).open(&url, &scope);
        let first = named("first").await.unwrap();
        let second = named("second").await.unwrap();
        let names = async || {
            let workers = first.workers(now()).await.unwrap();
            workers
                .into_iter()
                .map(|worker| worker.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["first", "second"]);
        drop(second);
        for _ in 0..500 {
            if names().await == ["first"] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a worker that is gone is still listed");
    });
}
