//! The same steps in PostgreSQL, by several workers at the same time, while the table of images grows; and the time of
//! one claim, which must not grow with the table.
//!
//! The server is one that the bench starts; without its programs these benchmarks are left out, and that is printed.
//! Server and SQLite's file are on the same disk, and both commit durably.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use greenlight::ledger::{Ledger as _, PostgresLedger, SqliteLedger, Work};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use super::{BATCH, LEASE, accept, note, submit};
use crate::{
    harness::{Kind, Rounds, Scale, Side, Suite, Unit, quantile},
    pipeline::scope,
    postgres_server::Server,
};

const WORKERS: [usize; 4] = [1, 2, 4, 8];
/// Batches that a worker has in flight.
const IN_FLIGHT: usize = 8;
const CLAIMS: usize = 50;

pub(super) fn run(suite: &mut Suite, runtime: &Runtime) {
    let (images, tables): (usize, &[u64]) = match suite.scale {
        Scale::Once => (1_000, &[0, 100]),
        Scale::Quick => (2_000, &[0]),
        Scale::Full => (5_000, &[0, 200_000]),
        Scale::Long => (10_000, &[0, 100_000, 1_000_000, 10_000_000]),
    };
    let names = |rows: u64| {
        let submit =
            WORKERS.map(|workers| format!("ledger/submit/postgres/{rows}-rows/{workers}-workers"));
        (submit, format!("ledger/claim/postgres/{rows}-rows"))
    };
    let wanted = tables.iter().filter(|rows| {
        let (submit, claim) = names(**rows);
        submit.iter().any(|name| suite.wants(name)) || suite.wants(&claim)
    });
    // A larger table is made from a smaller one.
    let Some(largest) = wanted.max().copied() else {
        return;
    };
    let Some(server) = Server::start_on_disk("bench") else {
        println!("ledger/.../postgres: not measured, because no server can be started here");
        return;
    };
    let mut table = runtime.block_on(Table::create(server.url()));
    for rows in tables.iter().filter(|rows| **rows <= largest) {
        if !suite.is_listing() {
            runtime.block_on(table.fill(*rows));
        }
        let (submits, claim) = names(*rows);
        for (workers, name) in WORKERS.into_iter().zip(&submits) {
            let sides = vec![
                Side::new("greenlight", Kind::Ours, || {
                    runtime.block_on(table.submit(workers, images))
                }),
                Side::new("sqlite", Kind::Ours, || runtime.block_on(in_sqlite(images))),
            ];
            suite.compare(name, Unit::PerSecond, None, Rounds::Exactly(3), sides);
        }
        let sides = vec![Side::new("greenlight", Kind::Ours, || {
            runtime.block_on(table.claim())
        })];
        suite.compare(&claim, Unit::Nanoseconds, None, Rounds::Exactly(3), sides);
    }
}

/// A ledger with many images that are done.
struct Table {
    url: String,
    server: Client,
    /// The number of the next image.
    next: usize,
    /// The images that were added as done.
    rows: u64,
}

impl Table {
    async fn create(server: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
        tokio::spawn(connection);
        let mut table = Self {
            url: format!("{server}?schema=bench"),
            server: client,
            next: 0,
            rows: 0,
        };
        // One image is done in the ordinary way. All others that only fill the table are copies of it.
        table.submit(1, BATCH).await;
        table
    }

    async fn open(&self) -> Arc<PostgresLedger> {
        Arc::new(PostgresLedger::open(&self.url, &scope()).await.unwrap())
    }

    /// Adds images that are done, with their tasks and sources, up to `rows`.
    async fn fill(&mut self, rows: u64) {
        let script = format!(
            "SET search_path = bench;
            INSERT INTO image (key, url, is_file, state, next_at, attempts, accepted, batch, expires_at, billed, facts,
                    outcome)
                SELECT sha256(convert_to(n::text, 'UTF8')), url || convert_to(n::text, 'UTF8'), is_file, state, next_at,
                    attempts, accepted, batch, expires_at, billed, facts, outcome
                FROM (SELECT * FROM image WHERE next_at IS NULL LIMIT 1) done, generate_series({}, {rows}) n;
            INSERT INTO task (name, image, batch, state, submitted_at, billed)
                SELECT 'copy-' || id, id, batch, 1, 0, billed FROM image
                WHERE NOT EXISTS (SELECT FROM task WHERE task.image = image.id);
            VACUUM ANALYZE image; VACUUM ANALYZE task;",
            self.rows + 1
        );
        for statement in script.split(';') {
            self.server.batch_execute(statement).await.unwrap();
        }
        self.rows = rows;
    }

    async fn add(&mut self, images: usize) {
        let ledger = self.open().await;
        note(&*ledger, self.next..self.next + images).await;
        accept(&*ledger, images).await;
        self.next += images;
    }

    /// Returns images per second of several workers, each with connections of its own.
    async fn submit(&mut self, workers: usize, images: usize) -> f64 {
        self.add(images).await;
        let mut ledgers = Vec::new();
        for _ in 0..workers {
            ledgers.push(self.open().await);
        }
        submit(&ledgers, images, IN_FLIGHT).await
    }

    /// Returns the median time of a claim of one batch, in nanoseconds.
    async fn claim(&mut self) -> f64 {
        self.add(BATCH).await;
        let ledger = self.open().await;
        let mut times = Vec::new();
        for _ in 0..CLAIMS {
            let start = Instant::now();
            let claimed = ledger.claim(Work::Submit, BATCH, LEASE, SystemTime::now());
            let claimed = claimed.await.unwrap();
            times.push(start.elapsed().as_secs_f64() * 1e9);
            assert_eq!(claimed.len(), BATCH);
            let holds = claimed.into_iter().map(|claimed| claimed.hold).collect();
            ledger.release(holds, SystemTime::now()).await.unwrap();
        }
        // They are done before the next measurement, which would claim them.
        submit(&[ledger], BATCH, 1).await;
        quantile(times, 0.5)
    }
}

async fn in_sqlite(images: usize) -> f64 {
    let path = std::env::temp_dir().join(format!("greenlight-bench-{}.db", std::process::id()));
    let ledger = Arc::new(SqliteLedger::open(&path, &scope()).unwrap());
    note(&*ledger, 0..images).await;
    accept(&*ledger, images).await;
    let rate = submit(&[ledger], images, IN_FLIGHT).await;
    std::fs::remove_file(path).unwrap();
    rate
}
