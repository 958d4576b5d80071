//! Ledger files: durability, errors, and several users of one file.

use std::{collections::HashSet, fs, path::Path, sync::Arc};

use greenlight::{
    Error, ErrorKind, Scene, TaskId,
    ledger::{
        BatchId, BatchResult, Ledger, Limit, NewImage, Permit, Quota, Rows, Scope, SqliteLedger,
        State, Work,
    },
};
use rusqlite::Connection;

use super::{at, block_on, fresh, fresh_path, image, scope};

const LEASE: std::time::Duration = std::time::Duration::from_secs(30);

async fn count(ledger: &SqliteLedger) -> u64 {
    ledger.stats(at(0)).await.unwrap().images()
}

fn refused(result: Result<SqliteLedger, Error>, kind: ErrorKind, words: &str, path: &Path) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(words), "{text}");
    assert!(text.ends_with(&path.display().to_string()), "{text}");
}

#[test]
fn records_survive_reopening_the_file() {
    let path = fresh_path("again");
    let ledger = SqliteLedger::open(&path, &scope()).unwrap();
    block_on(async {
        ledger
            .enqueue(vec![image(1), image(2)], at(0))
            .await
            .unwrap();
        ledger.claim(Work::Probe, 1, LEASE, at(0)).await.unwrap();
    });
    drop(ledger);
    let ledger = SqliteLedger::open_existing(&path).unwrap();
    assert_eq!(ledger.scope(), &scope());
    assert_eq!(ledger.path(), path);
    block_on(async {
        let due = ledger.claim(Work::Probe, 9, LEASE, at(1)).await.unwrap();
        assert_eq!(due.len(), 1, "the other one is still held");
        assert_eq!(count(&ledger).await, 2);
    });
}

#[test]
fn a_ledger_of_another_scope_is_rejected() {
    let path = fresh_path("scope");
    drop(SqliteLedger::open(&path, &scope()).unwrap());
    let open = |account, service, scenes: &[Scene]| {
        SqliteLedger::open(
            &path,
            &Scope::new(scenes)
                .with_account(account)
                .with_service(service),
        )
    };
    let (account, service) = ("account", "green.example.com");
    let words = "it belongs to account `account`, not `other`";
    refused(
        open("other", service, &[Scene::Ad, Scene::Porn]),
        ErrorKind::Usage,
        words,
        &path,
    );
    let words = "it belongs to service `green.example.com`, not `other`";
    refused(
        open(account, "other", &[Scene::Ad, Scene::Porn]),
        ErrorKind::Usage,
        words,
        &path,
    );
    let words = "it belongs to scenes `ad,porn`, not `ad`";
    refused(
        open(account, service, &[Scene::Ad]),
        ErrorKind::Usage,
        words,
        &path,
    );
    let policy = SqliteLedger::open(&path, &scope().with_policy("v2"));
    refused(policy, ErrorKind::Usage, "policy ``, not `v2`", &path);
    assert!(open(account, service, &[Scene::Porn, Scene::Ad]).is_ok());
}

#[test]
fn a_ledger_of_a_newer_version_is_rejected() {
    let path = fresh_path("newer");
    drop(SqliteLedger::open(&path, &scope()).unwrap());
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    let words = "a newer greenlight (schema 999, this one knows 5)";
    refused(
        SqliteLedger::open(&path, &scope()),
        ErrorKind::Usage,
        words,
        &path,
    );
    let reader = SqliteLedger::options().read_only().open_existing(&path);
    refused(reader, ErrorKind::Usage, words, &path);
}

fn an_old_ledger(name: &str) -> std::path::PathBuf {
    let path = fresh_path(name);
    let db = Connection::open(&path).unwrap();
    db.execute_batch(include_str!("v1.sql")).unwrap();
    path
}

#[test]
fn a_ledger_of_an_older_version_is_migrated() {
    let path = an_old_ledger("older");
    for _ in 0..2 {
        let ledger = SqliteLedger::open(&path, &scope()).unwrap();
        block_on(async {
            let everything = Rows {
                after: 0,
                limit: 9,
                state: None,
            };
            let rows = ledger.rows(everything).await.unwrap();
            let seen: Vec<_> = rows.iter().map(|row| (row.text(), row.state)).collect();
            let expected = [
                ("https://example.com/waits.png".into(), State::Checked),
                ("https://example.com/decided.png".into(), State::Decided),
            ];
            assert_eq!(seen, expected);
            assert_eq!(
                rows[1].task_id.as_ref().map(TaskId::as_str),
                Some("img-old")
            );
            assert_eq!(rows[1].delivery.map(|delivery| delivery.0), Some(5));
            let stats = ledger.stats(at(0)).await.unwrap();
            assert_eq!((stats.resubmitted, stats.expired), (3, 2));
            let due = ledger.claim(Work::Probe, 9, LEASE, at(0)).await.unwrap();
            assert_eq!(due.len(), 1);
            let holds = due.into_iter().map(|claimed| claimed.hold).collect();
            ledger.release(holds, at(0)).await.unwrap();
        });
    }
}

#[test]
fn reading_does_not_migrate_an_older_ledger() {
    let path = an_old_ledger("older-read-only");
    let words = "an older greenlight (schema 1, this one knows 5)";
    let reader = SqliteLedger::options().read_only().open_existing(&path);
    refused(reader, ErrorKind::Usage, words, &path);
    let db = Connection::open(&path).unwrap();
    let version: i64 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);
}

#[test]
fn files_other_than_ledgers_are_left_unchanged() {
    let text = fresh_path("text");
    fs::write(&text, "https://example.com/a.png\n".repeat(500)).unwrap();
    let words = "the file is not a ledger";
    refused(
        SqliteLedger::open(&text, &scope()),
        ErrorKind::Usage,
        words,
        &text,
    );
    assert!(fs::read_to_string(&text).unwrap().starts_with("https://"));

    let other = fresh_path("other");
    let db = Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE mine (x)").unwrap();
    drop(db);
    let words = "not a ledger; name another file";
    refused(
        SqliteLedger::open(&other, &scope()),
        ErrorKind::Usage,
        words,
        &other,
    );

    let absent = fresh_path("absent");
    let words = "the file does not exist";
    refused(
        SqliteLedger::open_existing(&absent),
        ErrorKind::Io,
        words,
        &absent,
    );
    assert!(!absent.exists());

    let nowhere = absent.join("folder").join("ledger.db");
    let words = "cannot be opened or created";
    refused(
        SqliteLedger::open(&nowhere, &scope()),
        ErrorKind::Io,
        words,
        &nowhere,
    );

    let empty = fresh_path("empty");
    fs::write(&empty, "").unwrap();
    let words = "no run has used it yet";
    refused(
        SqliteLedger::open_existing(&empty),
        ErrorKind::Usage,
        words,
        &empty,
    );
    assert!(SqliteLedger::open(&empty, &scope()).is_ok());
}

#[test]
fn a_corrupt_file_is_an_error() {
    let path = fresh_path("damaged");
    let ledger = SqliteLedger::open(&path, &scope()).unwrap();
    let images: Vec<NewImage> = (1..=500).map(image).collect();
    block_on(ledger.enqueue(images, at(0))).unwrap();
    drop(ledger);
    let mut bytes = fs::read(&path).unwrap();
    let (_, tail) = bytes.split_at_mut(4096);
    tail.fill(0xAA);
    fs::write(&path, bytes).unwrap();
    let error = match SqliteLedger::open(&path, &scope()) {
        Err(error) => error,
        Ok(ledger) => block_on(ledger.stats(at(0))).unwrap_err(),
    };
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("the file is corrupt"), "{error}");
    assert!(error.report().contains("malformed"), "{}", error.report());
}

#[test]
fn a_full_disk_fails_only_the_current_call() {
    let path = fresh_path("full");
    let options = SqliteLedger::options().max_bytes(400 * 1024);
    let ledger = options.open(&path, &scope()).unwrap();
    block_on(async {
        let mut noted = 0;
        let error = loop {
            let images = (noted..noted + 100).map(image).collect();
            match ledger.enqueue(images, at(0)).await {
                Ok(_) => noted += 100,
                Err(error) => break error,
            }
            assert!(noted < 100_000, "the limit holds");
        };
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("no space is left"), "{error}");
        assert!(noted > 100);
        assert_eq!(count(&ledger).await, u64::from(noted));
        drop(ledger);
        let larger = SqliteLedger::open(&path, &scope()).unwrap();
        let images = (noted..noted + 100).map(image).collect();
        larger.enqueue(images, at(0)).await.unwrap();
        assert_eq!(count(&larger).await, u64::from(noted) + 100);
    });
}

#[test]
fn a_read_only_ledger_rejects_writes() {
    let path = fresh_path("read-only");
    let ledger = SqliteLedger::open(&path, &scope()).unwrap();
    block_on(ledger.enqueue(vec![image(1)], at(0))).unwrap();
    let reader = SqliteLedger::options()
        .read_only()
        .open_existing(&path)
        .unwrap();
    block_on(async {
        assert_eq!(count(&reader).await, 1);
        let error = reader.enqueue(vec![image(2)], at(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(
            error.to_string().contains("the file is read-only"),
            "{error}"
        );
    });
}

#[test]
fn a_file_locked_by_another_process_is_reported_after_a_wait() {
    let path = fresh_path("held");
    let options = SqliteLedger::options().lock_wait(std::time::Duration::from_millis(50));
    let ledger = options.open(&path, &scope()).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = block_on(ledger.enqueue(vec![image(1)], at(0))).unwrap_err();
    assert!(
        error.to_string().contains("another process locks the file"),
        "{error}"
    );
    assert!(matches!(error.retry(), greenlight::Retry::After(_)));
    assert_eq!(block_on(count(&ledger)), 0, "reading needs no lock");
    other.execute_batch("ROLLBACK").unwrap();
    block_on(ledger.enqueue(vec![image(1)], at(0))).unwrap();
}

#[test]
fn a_failed_call_does_not_affect_its_commit_group() {
    let ledger = fresh("group");
    block_on(async {
        let mut calls = tokio::task::JoinSet::new();
        for number in 1..=50_u8 {
            let good = ledger.clone();
            let noted = async move {
                good.enqueue(vec![image(number.into())], at(0))
                    .await
                    .is_ok()
            };
            calls.spawn(noted);
            let bad = ledger.clone();
            let batch = BatchId([number; 16]);
            calls.spawn(async move {
                let answer = bad.record_answer(batch, BatchResult::Unknown, at(0)).await;
                answer.unwrap_err().to_string().contains("unknown batch")
            });
        }
        while let Some(as_expected) = calls.join_next().await {
            assert!(as_expected.unwrap());
        }
        assert_eq!(count(&ledger).await, 50);
    });
}

/// Several handles of one file represent processes: each has its own connections and threads.
#[test]
fn users_of_one_file_never_claim_the_same_image() {
    let path = fresh_path("shared");
    let handles: Vec<_> = (0..3)
        .map(|_| Arc::new(SqliteLedger::open(&path, &scope()).unwrap()))
        .collect();
    block_on(handles[0].enqueue((0..3000).map(image).collect(), at(0))).unwrap();
    let users: Vec<_> = handles
        .iter()
        .map(|ledger| {
            let ledger = Arc::clone(ledger);
            std::thread::spawn(move || {
                let mut mine = Vec::new();
                loop {
                    let claimed = block_on(ledger.claim(Work::Probe, 50, LEASE, at(1))).unwrap();
                    if claimed.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.into_iter().map(|claimed| claimed.hold.key));
                }
            })
        })
        .collect();
    let all: Vec<_> = users
        .into_iter()
        .flat_map(|user| user.join().unwrap())
        .collect();
    let distinct: HashSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (3000, 3000));
    let everything = Rows {
        after: 0,
        limit: 9999,
        state: Some(State::Received),
    };
    assert_eq!(block_on(handles[2].rows(everything)).unwrap().len(), 3000);
}

#[test]
fn users_of_one_file_share_its_quotas() {
    let path = fresh_path("rates");
    let open = || SqliteLedger::open(&path, &scope()).unwrap();
    let (first, second) = (open(), open());
    let quota = || Quota {
        operation: "submit".to_owned(),
        limit: Limit {
            interval: std::time::Duration::from_secs(3600),
            burst: 3,
        },
    };
    let permit = |ledger: &SqliteLedger, cost| block_on(ledger.permit(quota(), cost)).unwrap();
    assert_eq!(permit(&first, 2), Permit::Granted);
    assert!(matches!(permit(&second, 2), Permit::Wait(_)));
    assert_eq!(permit(&second, 1), Permit::Granted);
    assert!(matches!(permit(&first, 1), Permit::Wait(_)));
    drop((first, second));
    assert!(
        matches!(permit(&open(), 1), Permit::Wait(_)),
        "a restart earns nothing"
    );
}

#[test]
fn the_file_keeps_a_write_ahead_log() {
    let path = fresh_path("log");
    drop(SqliteLedger::open(&path, &scope()).unwrap());
    let db = Connection::open(&path).unwrap();
    let mode: String = db
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}
