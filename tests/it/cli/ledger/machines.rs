//! What workers of one ledger know of each other, of the service and of the database.

use std::time::Duration;

use greenlight::sandbox::{Fault, Operation, Sandbox, When};
use tokio_postgres::{Client, NoTls};

use super::{Run, Service, sources};
use crate::postgres_server::fresh_url;

/// A connection of another program to the server of `url`.
async fn other_program(url: &str) -> Client {
    let (server, _) = url.rsplit_once(['?', '&']).unwrap();
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Makes the service fail longer than a test takes.
fn fail_always(service: &Service) {
    for _ in 0..10_000 {
        let fault = Fault::Gateway(503, When::Before);
        service.sandbox.inject(Operation::AsyncScan, fault);
    }
}

/// A worker without work reads all images once, when it starts. A ledger may have millions of them.
#[test]
#[ignore = "slow: waits for what does not happen"]
fn an_idle_worker_does_not_count_the_images_repeatedly() {
    let Some(url) = fresh_url() else { return };
    let service = Service::with("machines-idle", Sandbox::builder());
    service.list("list.txt", 400);
    let scan = Run::of(service.scan_list(&url, &[]));
    assert_eq!(scan.code, Some(0), "{scan}");
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let runtime = runtime();
    let client = runtime.block_on(other_program(&url));
    let analyze = format!("ANALYZE {schema}.image");
    runtime.block_on(client.batch_execute(&analyze)).unwrap();
    let rows_read = || {
        // The server publishes its counters after a second.
        std::thread::sleep(Duration::from_secs(2));
        let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'image'";
        let rows = runtime.block_on(client.query_one(read, &[&schema]));
        rows.unwrap().get::<_, i64>(0)
    };
    let before = rows_read();
    service.shared_status(&url);
    let once = rows_read() - before;
    assert!(once >= 400, "{once}");
    let mut worker = service.work(&url, &[]);
    std::thread::sleep(Duration::from_secs(6));
    worker.kill().unwrap();
    worker.wait().unwrap();
    let idle = rows_read() - before - once;
    assert!(idle <= 2 * once, "{idle} rows, {once} for one count");
}

/// Another process that waits for the lock gets it when the connection that holds it ends.
#[test]
fn a_scan_stops_printing_once_another_run_prints() {
    let Some(url) = fresh_url() else { return };
    let service = Service::with("machines-printer", Sandbox::builder().polls(2));
    let urls = service.list("list.txt", 500);
    let scan = service.scan_list(&url, &[]);
    service.wait_for_shared(&url, "tasks", 100);
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let runtime = runtime();
    let next = runtime.block_on(async {
        let other = other_program(&url).await;
        let next = other_program(&url).await;
        let waits = "SELECT pg_advisory_lock(hashtext('greenlight ' || $1), 4)";
        let waiting = async { next.query(waits, &[&schema]).await };
        let waiting = tokio::time::timeout(Duration::from_millis(500), waiting);
        assert!(waiting.await.is_err(), "the scan holds the lock");
        let ended = other
            .query(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
                 AND granted AND classid::bigint = hashtext('greenlight ' || $1)::bigint & 4294967295
                 AND objid = 4 AND objsubid = 2",
                &[&schema],
            )
            .await
            .unwrap();
        assert_eq!(ended.len(), 1);
        next
    });
    let scan = Run::of(scan);
    assert_eq!(scan.code, Some(2), "{scan}");
    assert!(
        scan.said().contains("another run prints this ledger now"),
        "{scan}"
    );
    drop((next, runtime));
    let printed = sources(&scan.stdout);
    assert!(printed.len() < urls.len());
    let resumed = service.run(&["resume", "--format", "jsonl", "--ledger", &url]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    let all = [printed, sources(&resumed.stdout)].concat();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct, urls.iter().collect());
}

#[test]
#[ignore = "slow: waits for a second warning"]
fn a_long_foreign_transaction_is_warned_about_once() {
    let Some(url) = fresh_url() else { return };
    let service = Service::new("machines-transaction");
    let runtime = runtime();
    service.list("list.txt", 20);
    let scan = service.run(&["scan", "--from", "list.txt", "--ledger", &url]);
    assert_eq!(scan.code, Some(0), "{scan}");
    let age = ["--transaction-age", "1s", "--ledger", &url];
    let other = runtime.block_on(async {
        let other = other_program(&url).await;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
        other.batch_execute(begin).await.unwrap();
        other
    });
    std::thread::sleep(Duration::from_secs(2));
    let status = service.bench.run(&[&["status"], &age[..]].concat());
    let words = "keeps the database from removing old rows";
    assert_eq!(status.said().matches(words).count(), 1, "{status}");
    let default = service.bench.run(&["status", "--ledger", &url]);
    assert!(!default.said().contains(words), "{default}");
    let worker = service.command(&[&["work"], &age[..]].concat()).spawn();
    let mut worker = worker.unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &worker.id().to_string()])
        .status();
    if !sent.unwrap().success() {
        worker.kill().unwrap();
    }
    let worker = Run::of(worker);
    assert_eq!(worker.said().matches(words).count(), 1, "{worker}");
    drop(other);
}

/// The second worker begins during the outage. It learns of it from the ledger, so both together
/// send no more requests than one.
#[test]
#[ignore = "slow: counts requests during an outage of many seconds"]
fn workers_learn_of_an_outage_from_the_ledger() {
    let [one, two] = std::thread::scope(|scope| {
        [1, 2]
            .map(|workers| scope.spawn(move || requests_in_an_outage(workers)))
            .map(|count| count.join().unwrap())
    });
    println!("{one:?} and {two:?} requests");
    if let (Some(one), Some(two)) = (one, two) {
        assert!(two <= one + 3, "{one} requests by one worker, {two} by two");
    }
}

/// Returns how many requests are made in a part of an outage; `None` without a database.
fn requests_in_an_outage(workers: usize) -> Option<u64> {
    let url = fresh_url()?;
    let service = Service::new(&format!("machines-outage-{workers}"));
    let urls = service.list("list.txt", 600);
    fail_always(&service);
    let mut scan = service.scan_list(&url, &[]);
    service.wait_for_shared(&url, "sources", u64::try_from(urls.len()).unwrap());
    std::thread::sleep(Duration::from_secs(4));
    let before = service.sandbox.requests_of(Operation::AsyncScan);
    let others: Vec<_> = (1..workers).map(|_| service.work(&url, &[])).collect();
    std::thread::sleep(Duration::from_secs(8));
    let count = service.sandbox.requests_of(Operation::AsyncScan) - before;
    for mut process in others {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    scan.kill().unwrap();
    scan.wait().unwrap();
    Some(count)
}

#[test]
fn a_file_that_is_not_on_this_host_names_the_host_that_added_it() {
    let Some(url) = fresh_url() else { return };
    let service = Service::with("machines-host", Sandbox::builder());
    fail_always(&service);
    service.bench.write("list.txt", "in/good.png");
    let mut scan = service.scan_list(&url, &["--files-under", "in"]);
    service.wait_for_shared(&url, "sources", 1);
    scan.kill().unwrap();
    scan.wait().unwrap();
    // As on a host without the folder.
    std::fs::rename(service.bench.path("in"), service.bench.path("elsewhere")).unwrap();
    runtime().block_on(async {
        let other = other_program(&url).await;
        let schema = url.rsplit_once("schema=").unwrap().1;
        let sql = format!("SELECT host FROM {schema}.image");
        let host: Option<String> = other.query_one(&sql, &[]).await.unwrap().get(0);
        assert!(host.is_some_and(|host| !host.is_empty()));
        let sql = format!("UPDATE {schema}.image SET host = 'build-7'");
        other.batch_execute(&sql).await.unwrap();
    });
    let mut worker = service.work(&url, &["--settle", "1s"]);
    let mut message = String::new();
    for _ in 0..600 {
        let export = service.bench.run(&["export", "--ledger", &url]);
        message.clone_from(&export.stdout);
        if message.contains("build-7") {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(message.contains("host `build-7` added it"), "{message}");
}
