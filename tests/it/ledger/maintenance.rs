//! Creating, upgrading, checking and copying ledgers, between both stores.

#![allow(
    clippy::disallowed_methods,
    reason = "the clock of a worker is the machine's"
)]

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use greenlight::{
    ErrorKind,
    ledger::{Ledger, Maintenance, Row, Rows, SqliteLedger, Work},
};
use rusqlite::Connection;

use super::{at, block_on, fresh_path, image, scope};

async fn everything(ledger: &dyn Ledger) -> Vec<Row> {
    let rows = Rows {
        after: 0,
        limit: 100_000,
        state: None,
    };
    ledger.rows(rows).await.unwrap()
}

/// A ledger with rows of most kinds. The sequences of the property test add the rest.
async fn filled(path: &Path, images: u32) -> Vec<Row> {
    let ledger = SqliteLedger::open(path, &scope()).unwrap();
    let mut all: Vec<_> = (1..=images).map(image).collect();
    let mut odd = image(images + 1);
    "a\0b".clone_into(&mut odd.source.origin);
    odd.source.text = Some("c\0d".to_owned());
    all.push(odd);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let mut file = image(images + 2);
        let name = std::ffi::OsStr::from_bytes(b"/srv/\xff.png");
        file.location = greenlight::ledger::Location::File(name.into());
        all.push(file);
    }
    ledger.enqueue(all, at(0)).await.unwrap();
    ledger.mark_list("unread".to_owned(), false).await.unwrap();
    let claimed = ledger.claim(Work::Probe, 2, Duration::from_secs(9), at(1));
    assert_eq!(claimed.await.unwrap().len(), 2);
    everything(&ledger).await
}

#[test]
fn a_new_ledger_is_bound_by_the_first_open() {
    block_on(async {
        let path = fresh_path("init");
        let file = Maintenance::sqlite(&path).unwrap();
        assert_eq!(file.init().await.unwrap().from, 0);
        let again = file.init().await.unwrap();
        assert_eq!(again.from, again.to);
        assert_eq!(file.check(at(0)).await.unwrap().problems, []);
        let error = SqliteLedger::open_existing(&path).unwrap_err();
        assert!(
            error.to_string().contains("no run has used it yet"),
            "{error}"
        );
        drop(SqliteLedger::open(&path, &scope()).unwrap());
        let found = SqliteLedger::open_existing(&path).unwrap();
        assert_eq!(found.scope(), &scope());
    });
}

#[test]
fn inconsistent_rows_are_counted_and_have_a_remedy() {
    block_on(async {
        let path = fresh_path("inconsistent");
        filled(&path, 5).await;
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "UPDATE source SET image = 99 WHERE id = 1; UPDATE image SET task = 77 WHERE id = 2;
             UPDATE image SET next_at = NULL WHERE id = 3; UPDATE image SET state = 42 WHERE id = 4;
             UPDATE image SET lease = 1, next_at = 1 << 50 WHERE id = 5;
             INSERT INTO outbox (source, image) VALUES (88, 5);",
        )
        .unwrap();
        drop(db);
        let file = Maintenance::sqlite(&path).unwrap();
        let health = file.check(at(0)).await.unwrap();
        let found: Vec<_> = health.problems.iter().map(|p| (&*p.what, p.rows)).collect();
        let expected = [
            ("sources without an image", 1),
            ("images without a source", 1),
            ("deliveries without a source", 1),
            ("deliveries of images without an outcome", 1),
            ("images without their task", 1),
            ("images in an unknown state", 1),
            ("unfinished images that are never due", 1),
            ("images leased for more than a day from now", 1),
        ];
        assert_eq!(found, expected);
        assert!(health.problems.iter().all(|p| !p.remedy.is_empty()));
    });
}

#[test]
fn a_copy_between_files_is_equal_and_is_used_only_when_complete() {
    block_on(async {
        let (from, to) = (fresh_path("copy-from"), fresh_path("copy-to"));
        let rows = filled(&from, 2_500).await;
        let source = Maintenance::sqlite(&from).unwrap();
        // A copy that ends at every step.
        let (mut attempts, mut begun) = (0, 0);
        loop {
            let target = Maintenance::sqlite(&to).unwrap();
            let patience = Duration::from_millis(3 * attempts);
            attempts += 1;
            let copying = source.copy_to(&target, |_| ());
            match tokio::time::timeout(patience, copying).await {
                Ok(done) => {
                    let done = done.unwrap();
                    assert_eq!(done.rows, done.total);
                    let active = rows
                        .iter()
                        .filter(|row| row.state != greenlight::ledger::State::Rejected);
                    assert_eq!(done.unfinished, u64::try_from(active.count()).unwrap());
                    break;
                }
                Err(_) if attempts < 400 => {
                    drop(target);
                    let db = Connection::open(&to).unwrap();
                    let sql = "SELECT count(*) FROM sqlite_schema";
                    let tables: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
                    // Then the last step ended as well: it runs on the ledger's own thread, which is
                    // joined by now.
                    let is_complete = tables > 0 && {
                        let sql = "SELECT count(*) FROM scope";
                        let scopes: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
                        scopes > 0
                    };
                    drop(db);
                    if tables > 0 && !is_complete {
                        begun += 1;
                        let read = SqliteLedger::open_existing(&to).unwrap_err();
                        let error = SqliteLedger::open(&to, &scope()).unwrap_err();
                        let unfinished = Maintenance::sqlite(&to).unwrap();
                        let init = unfinished.init().await.unwrap_err();
                        let upgrade = unfinished.upgrade().await.unwrap_err();
                        for error in [read, error, init, upgrade] {
                            assert!(error.to_string().contains("not complete"), "{error}");
                        }
                    }
                }
                Err(elapsed) => panic!("never complete: {elapsed}"),
            }
        }
        assert!(begun > 0, "no attempt was interrupted");
        let target = Maintenance::sqlite(&to).unwrap();
        assert_eq!(target.check(at(0)).await.unwrap().problems, []);
        // As after a kill between the last transaction and the end of the process.
        let again = source.copy_to(&target, |_| ()).await.unwrap();
        assert_eq!(again.rows, again.total);
        drop(target);
        let copy = SqliteLedger::open_existing(&to).unwrap();
        assert_eq!(everything(&copy).await, rows);
        let known = copy.enqueue(vec![image(1), image(9_999)], at(2)).await;
        let known = known.unwrap();
        assert_eq!((known[0].new_image, known[0].new_source), (false, false));
        assert!(known[1].new_image && known[1].number > rows.last().unwrap().number);
        drop(copy);
        // The source now differs from the copy.
        let changed = SqliteLedger::open(&from, &scope()).unwrap();
        changed.enqueue(vec![image(5_000)], at(3)).await.unwrap();
        let target = Maintenance::sqlite(&to).unwrap();
        let error = source.copy_to(&target, |_| ()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("another ledger"), "{error}");
    });
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use greenlight::ledger::{
        BatchResult, Finding, ImageResult, Judgement, PostgresLedger, Resubmit, TaskUpdate, Update,
    };

    use super::*;
    use crate::postgres_server::fresh_url;

    fn now() -> SystemTime {
        SystemTime::now()
    }

    async fn client(url: &str) -> (tokio_postgres::Client, String) {
        let (server, schema) = url.rsplit_once(['?', '&']).unwrap();
        let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let schema = schema.trim_start_matches("schema=").to_owned();
        (client, schema)
    }

    /// Decides an image, acknowledges another.
    async fn work(ledger: &dyn Ledger) {
        let lease = Duration::from_secs(60);
        let claimed = ledger.claim(Work::Probe, 4, lease, now()).await.unwrap();
        let findings = claimed.iter().map(|claimed| Finding {
            hold: claimed.hold,
            judgement: Judgement::Accepted,
            facts: Some("{}".to_owned()),
            billed: 1,
        });
        let findings = findings.collect();
        ledger.record_findings(findings, now()).await.unwrap();
        let claimed = ledger.claim(Work::Submit, 3, lease, now()).await.unwrap();
        let holds = claimed.iter().map(|claimed| claimed.hold).collect();
        let begun = ledger.begin_batch(holds, lease, now()).await;
        let begun = begun.unwrap();
        let task = |number: usize| greenlight::TaskId::parse(&format!("img-{number}")).unwrap();
        let entries = begun.keys.iter().enumerate();
        let answer = BatchResult::Answered {
            request_id: None,
            poll_at: now(),
            expires_at: now() + lease,
            entries: entries
                .map(|(n, key)| (*key, ImageResult::Task(task(n))))
                .collect(),
            strays: vec![task(99)],
        };
        ledger
            .record_answer(begun.batch, answer, now())
            .await
            .unwrap();
        let updates = (0..2).map(|number| TaskUpdate {
            task_id: task(number),
            key: None,
            update: Update::Decided(r#"{"decision":"pass"}"#.to_owned()),
        });
        let updates = updates.collect();
        assert_eq!(ledger.record_outcomes(updates, now()).await.unwrap(), 2);
        let outcomes = ledger.undelivered(None, 1).await.unwrap();
        let ids = outcomes.iter().map(|outcome| outcome.id).collect();
        ledger.acknowledge(ids, now()).await.unwrap();
    }

    #[test]
    fn a_ledger_moves_to_the_database_and_back() {
        let Some(url) = fresh_url() else { return };
        block_on(async {
            let (from, back) = (fresh_path("move-from"), fresh_path("move-back"));
            filled(&from, 1_500).await;
            let ledger = SqliteLedger::open(&from, &scope()).unwrap();
            work(&ledger).await;
            let rows = everything(&ledger).await;
            drop(ledger);
            let file = Maintenance::sqlite(&from).unwrap();
            let database = Maintenance::postgres(&url).await.unwrap();
            let mut seen = Vec::new();
            let copied = file
                .copy_to(&database, |copied| seen.push(copied.rows))
                .await;
            let copied = copied.unwrap();
            assert_eq!(copied.rows, copied.total);
            assert!(seen.is_sorted() && seen.len() > 6, "{seen:?}");
            drop(database);
            let shared = PostgresLedger::open(&url, &scope()).await.unwrap();
            assert_eq!(everything(&shared).await, rows, "the export is the same");
            let stats = shared.stats(now()).await.unwrap();
            assert_eq!((stats.tasks, stats.undelivered), (4, 1));
            let enqueued = shared.enqueue(vec![image(1), image(7_000)], now()).await;
            let enqueued = enqueued.unwrap();
            assert!(!enqueued[0].new_image && enqueued[1].new_image);
            let in_use = Maintenance::postgres(&url).await.unwrap();
            let target = Maintenance::sqlite(&back).unwrap();
            let error = in_use.copy_to(&target, |_| ()).await.unwrap_err();
            assert!(error.to_string().contains("in use"), "{error}");
            let rows = everything(&shared).await;
            drop(shared);
            for _ in 0..500 {
                match in_use.copy_to(&target, |_| ()).await {
                    Err(error) if error.to_string().contains("in use") => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    copied => {
                        copied.unwrap();
                        break;
                    }
                }
            }
            drop(target);
            let home = SqliteLedger::open(&back, &scope()).unwrap();
            assert_eq!(everything(&home).await, rows);
            let health = Maintenance::sqlite(&back).unwrap().check(now()).await;
            assert_eq!(health.unwrap().problems, []);
        });
    }

    #[test]
    fn roles_without_superuser_create_upgrade_and_use_a_ledger() {
        let Some(url) = fresh_url() else { return };
        block_on(async {
            let (admin, schema) = client(&url).await;
            let database: String = admin
                .query_one("SELECT current_database()::text", &[])
                .await
                .unwrap()
                .get(0);
            let (owner, worker) = (format!("{schema}_owner"), format!("{schema}_worker"));
            let roles = format!(
                "CREATE ROLE {owner} LOGIN; CREATE ROLE {worker} LOGIN;
                 GRANT CREATE ON DATABASE {database} TO {owner}"
            );
            admin.batch_execute(&roles).await.unwrap();
            let user = url.split_once("//").unwrap().1.split_once('@').unwrap().0;
            let by = |role: &str| url.replacen(user, role, 1);
            let init = Maintenance::postgres(&by(&owner)).await.unwrap();
            assert_eq!(init.init().await.unwrap().from, 0);
            let unbound = PostgresLedger::open_existing(&by(&owner))
                .await
                .unwrap_err();
            assert!(
                unbound.to_string().contains("no run has used it yet"),
                "{unbound}"
            );
            let read = PostgresLedger::open_existing(&by(&worker))
                .await
                .unwrap_err();
            let run = PostgresLedger::open(&by(&worker), &scope()).await;
            for error in [read, run.map(drop).unwrap_err()] {
                let report = error.report();
                assert!(report.contains("no right to use the schema"), "{report}");
            }
            let grants = format!(
                "REVOKE CREATE ON DATABASE {database} FROM {owner};
                 GRANT USAGE ON SCHEMA {schema} TO {worker};
                 GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {worker};
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {worker}"
            );
            admin.batch_execute(&grants).await.unwrap();
            let ledger = PostgresLedger::open(&by(&worker), &scope()).await.unwrap();
            ledger
                .enqueue((1..=9).map(image).collect(), now())
                .await
                .unwrap();
            work(&ledger).await;
            assert_eq!(init.check(now()).await.unwrap().problems, []);
        });
    }

    #[test]
    fn an_older_schema_is_upgraded_when_no_worker_runs_and_a_newer_is_refused() {
        let Some(url) = fresh_url() else { return };
        block_on(async {
            let ledger = PostgresLedger::open(&url, &scope()).await.unwrap();
            ledger
                .enqueue((1..=9).map(image).collect(), now())
                .await
                .unwrap();
            let rows = everything(&ledger).await;
            let (admin, schema) = client(&url).await;
            let older = format!(
                "SET search_path = {schema}; ALTER TABLE image DROP COLUMN host;
                 ALTER TABLE quota DROP COLUMN failing_since;
                 ALTER TABLE image DROP COLUMN by_upload;
                 ALTER TABLE outbox DROP COLUMN next_at, DROP COLUMN attempts;
                 DROP TABLE scanned_url; UPDATE ledger SET version = 1"
            );
            admin.batch_execute(&older).await.unwrap();
            let maintenance = Maintenance::postgres(&url).await.unwrap();
            let error = maintenance.upgrade().await.unwrap_err();
            assert!(error.to_string().contains("stop them"), "{error}");
            drop(ledger);
            let error = PostgresLedger::open(&url, &scope()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("an older greenlight"), "{error}");
            let error = maintenance.check(now()).await.unwrap_err();
            assert!(error.to_string().contains("an older greenlight"), "{error}");
            let mut upgraded = None;
            for _ in 0..500 {
                upgraded = maintenance.upgrade().await.ok();
                if upgraded.is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let upgraded = upgraded.unwrap();
            assert_eq!((upgraded.from, upgraded.to), (1, 4));
            let ledger = PostgresLedger::open(&url, &scope()).await.unwrap();
            assert_eq!(everything(&ledger).await, rows);
            admin
                .batch_execute("UPDATE ledger SET version = 99")
                .await
                .unwrap();
            for error in [
                PostgresLedger::open(&url, &scope()).await.unwrap_err(),
                maintenance.upgrade().await.unwrap_err(),
                maintenance.init().await.unwrap_err(),
            ] {
                assert!(error.to_string().contains("a newer greenlight"), "{error}");
            }
        });
    }

    /// The clock is set forward by two minutes during a run: an image that was sent 10 seconds ago
    /// must not be submitted again.
    #[test]
    fn a_clock_that_is_set_forward_during_a_run_resubmits_nothing_early() {
        let Some(url) = fresh_url() else { return };
        block_on(async {
            let ahead = Arc::new(AtomicU64::new(0));
            let local = {
                let ahead = Arc::clone(&ahead);
                move || now() + Duration::from_secs(ahead.load(Ordering::Relaxed))
            };
            let ledger = PostgresLedger::options().clock(local.clone());
            let ledger = ledger.open(&url, &scope()).await.unwrap();
            ledger
                .enqueue((1..=4).map(image).collect(), local())
                .await
                .unwrap();
            let lease = Duration::from_secs(60);
            let claimed = ledger.claim(Work::Probe, 1, lease, local()).await.unwrap();
            let finding = Finding {
                hold: claimed[0].hold,
                judgement: Judgement::Accepted,
                facts: None,
                billed: 1,
            };
            ledger
                .record_findings(vec![finding], local())
                .await
                .unwrap();
            let claimed = ledger.claim(Work::Submit, 1, lease, local()).await.unwrap();
            let settle = Duration::from_secs(60);
            let begun = ledger.begin_batch(vec![claimed[0].hold], settle, local());
            assert_eq!(begun.await.unwrap().keys.len(), 1);
            for seconds in [120, 0, 7_200] {
                ahead.store(seconds, Ordering::Relaxed);
                let early = ledger
                    .recover(Resubmit::WhenSettled, local())
                    .await
                    .unwrap();
                assert_eq!((early.uncertain, early.resubmitted), (0, 0), "{seconds}");
            }
            let in_time = local() + Duration::from_secs(61);
            let settled = ledger
                .recover(Resubmit::WhenSettled, in_time)
                .await
                .unwrap();
            assert_eq!((settled.uncertain, settled.resubmitted), (1, 1));
        });
    }

    #[test]
    fn a_long_foreign_transaction_is_found() {
        let Some(url) = fresh_url() else { return };
        block_on(async {
            let ledger = PostgresLedger::open(&url, &scope()).await.unwrap();
            let (other, _) = client(&url).await;
            let begin = "SET application_name = 'analytics'; BEGIN ISOLATION LEVEL REPEATABLE READ; \
                         SELECT 1";
            other.batch_execute(begin).await.unwrap();
            let found = async |age| {
                let found = ledger.long_transactions(age).await.unwrap();
                found.iter().any(|found| found.name.contains("analytics"))
            };
            assert!(!found(Duration::from_secs(3_600)).await);
            let mut is_found = false;
            for _ in 0..200 {
                is_found = found(Duration::from_secs(1)).await;
                if is_found {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(is_found);
            other.batch_execute("COMMIT").await.unwrap();
            assert!(!found(Duration::from_secs(1)).await);
        });
    }
}
