//! The calls of the trait: each converts its times and runs as one transaction.

use std::time::{Duration, SystemTime};

use super::{
    super::{
        Backlog, BatchId, BatchResult, Begun, Claimed, Delivery, DeliveryId, Enqueued, Finding,
        Hold, Key, Ledger, LongTransaction, NewImage, NextStep, Ordered, OutboxCounts, Permit,
        Poll, Quota, Recovered, Reply, Resubmit, Row, Rows, Scope, SharedDataId, State, Stats,
        Stray, TaskUpdate, Undelivered, Unreachable, Work, WorkerStatus, time::span_to_millis,
    },
    PostgresLedger, claims, host, intake, outbox,
    pool::Mode,
    quota, report, results, submit, worker,
};

impl Ledger for PostgresLedger {
    fn scope(&self) -> &Scope {
        &self.inner.scope
    }

    fn enqueue(&self, images: Vec<NewImage>, now: SystemTime) -> Reply<'_, Vec<Enqueued>> {
        let args = (images, self.inner.time(now), self.inner.host.clone());
        let pool = &self.inner.pool;
        pool.run("enqueue images", Mode::Write, args, |db, args| {
            let (images, now, host) = args;
            Box::pin(async move {
                let done = intake::enqueue(db, images, *now).await?;
                // In the same transaction, so that another worker never sees the file without its
                // host.
                if let Some(host) = host {
                    host::record(db, images, host).await?;
                }
                Ok(done)
            })
        })
    }

    fn claim(
        &self,
        work: Work,
        limit: usize,
        lease: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Claimed>> {
        let now = self.inner.time(now);
        let until = now.saturating_add(span_to_millis(lease));
        let args = (work, limit, now, until, self.inner.number());
        let pool = &self.inner.pool;
        pool.run("claim images", Mode::Write, args, |db, args| {
            let &(work, limit, now, until, worker) = args;
            Box::pin(async move {
                let mut claimed = claims::claim(db, work, limit, now, until, worker).await?;
                host::add(db, &mut claimed).await?;
                Ok(claimed)
            })
        })
    }

    fn extend(&self, holds: Vec<Hold>, lease: Duration, now: SystemTime) -> Reply<'_, usize> {
        let until = self.inner.time(now).saturating_add(span_to_millis(lease));
        let pool = &self.inner.pool;
        pool.run("extend leases", Mode::Write, (holds, until), |db, args| {
            Box::pin(claims::extend(db, &args.0, args.1))
        })
    }

    fn release(&self, holds: Vec<Hold>, now: SystemTime) -> Reply<'_, usize> {
        let args = (holds, self.inner.time(now));
        let pool = &self.inner.pool;
        pool.run("release images", Mode::Write, args, |db, args| {
            Box::pin(claims::release(db, &args.0, args.1))
        })
    }

    fn record_findings(&self, findings: Vec<Finding>, now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let findings = findings.into_iter().map(|finding| inner.finding(finding));
        let args = (findings.collect::<Vec<_>>(), inner.time(now));
        inner
            .pool
            .run("record findings", Mode::Write, args, |db, args| {
                Box::pin(claims::record_findings(db, &args.0, args.1))
            })
    }

    fn record_unsent(&self, unsent: Vec<(Hold, NextStep)>, _now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let unsent = unsent
            .into_iter()
            .map(|(hold, next)| (hold, inner.next(next)));
        let args: Vec<_> = unsent.collect();
        inner
            .pool
            .run("record unsent images", Mode::Write, args, |db, args| {
                Box::pin(claims::record_unsent(db, args))
            })
    }

    fn begin_batch(&self, holds: Vec<Hold>, settle: Duration, now: SystemTime) -> Reply<'_, Begun> {
        let inner = &self.inner;
        let now = inner.time(now);
        let settle_at = now.saturating_add(span_to_millis(settle));
        let args = (holds, settle_at, now, inner.number());
        inner
            .pool
            .run("begin batch", Mode::Write, args, |db, args| {
                let (holds, settle_at, now, worker) = args;
                Box::pin(submit::begin_batch(db, holds, *settle_at, *now, *worker))
            })
    }

    fn record_answer(
        &self,
        batch: BatchId,
        answer: BatchResult,
        now: SystemTime,
    ) -> Reply<'_, Stray> {
        let inner = &self.inner;
        let args = (batch, inner.answer(answer), inner.time(now));
        inner
            .pool
            .run("record answer", Mode::Write, args, |db, args| {
                Box::pin(submit::record_answer(db, args.0, &args.1, args.2))
            })
    }

    fn due_polls(&self, limit: usize, hold: Duration, now: SystemTime) -> Reply<'_, Vec<Poll>> {
        let inner = &self.inner;
        let now = inner.time(now);
        let until = now.saturating_add(span_to_millis(hold));
        let args = (limit, now, until, inner.number());
        Box::pin(async move {
            let found = inner
                .pool
                .run("find due polls", Mode::Write, args, |db, args| {
                    let &(limit, now, until, worker) = args;
                    Box::pin(results::due_polls(db, limit, now, until, worker))
                });
            let mut polls = found.await?;
            for poll in &mut polls {
                poll.submitted_at = inner.local(poll.submitted_at);
                poll.expires_at = inner.local(poll.expires_at);
            }
            Ok(polls)
        })
    }

    fn record_outcomes(&self, updates: Vec<TaskUpdate>, now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let updates = updates.into_iter().map(|update| inner.update(update));
        let args = (updates.collect::<Vec<_>>(), inner.time(now));
        inner
            .pool
            .run("record outcomes", Mode::Write, args, |db, args| {
                Box::pin(results::record_outcomes(db, &args.0, args.1))
            })
    }

    fn recover(&self, resubmit: Resubmit, now: SystemTime) -> Reply<'_, Recovered> {
        let inner = &self.inner;
        Box::pin(async move {
            // A clock that was set forward must not settle an image whose response may arrive.
            inner.measure().await?;
            let args = (resubmit, inner.time(now), inner.number());
            let settled = inner.pool.run("recover", Mode::Write, args, |db, args| {
                let &(resubmit, now, worker) = args;
                Box::pin(async move {
                    // Frees what dead workers had claimed; images that they sent settle as usual.
                    worker::take_over(db, None, now, worker).await?;
                    submit::recover(db, resubmit, now).await
                })
            });
            settled.await
        })
    }

    fn take_over(&self, settle: Duration, now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let args = (span_to_millis(settle), inner.time(now), inner.number());
        inner.pool.run("take over", Mode::Write, args, |db, args| {
            let &(settle, now, worker) = args;
            Box::pin(worker::take_over(db, Some(settle), now, worker))
        })
    }

    fn permit(&self, quota: Quota, cost: u32) -> Reply<'_, Permit> {
        Box::pin(async move {
            quota.check(cost)?;
            let pool = &self.inner.pool;
            let granted = pool.run(
                "ask for a permit",
                Mode::Write,
                (quota, cost),
                |db, args| Box::pin(quota::permit(db, &args.0, args.1)),
            );
            granted.await
        })
    }

    fn slow_down(&self, quota: Quota, pause: Duration) -> Reply<'_, ()> {
        let pool = &self.inner.pool;
        pool.run("slow down", Mode::Write, (quota, pause), |db, args| {
            Box::pin(quota::slow_down(db, &args.0, args.1))
        })
    }

    fn fail(&self, quota: Quota, pause: Duration) -> Reply<'_, Duration> {
        let pool = &self.inner.pool;
        pool.run(
            "record a failure",
            Mode::Write,
            (quota, pause),
            |db, args| Box::pin(quota::fail(db, &args.0, args.1)),
        )
    }

    fn end_outage(&self, quota: Quota) -> Reply<'_, ()> {
        let pool = &self.inner.pool;
        pool.run("end an outage", Mode::Write, quota, |db, quota| {
            Box::pin(quota::end_outage(db, quota))
        })
    }

    fn undelivered(&self, after: Option<DeliveryId>, limit: usize) -> Reply<'_, Vec<Undelivered>> {
        let pool = &self.inner.pool;
        pool.run("read outbox", Mode::Read, (after, limit), |db, args| {
            Box::pin(outbox::undelivered(db, args.0, args.1))
        })
    }

    fn ordered(&self, after: i64, limit: usize) -> Reply<'_, Ordered> {
        let pool = &self.inner.pool;
        pool.run("read outbox", Mode::Read, (after, limit), |db, args| {
            Box::pin(outbox::ordered(db, args.0, args.1))
        })
    }

    fn acknowledge(&self, deliveries: Vec<DeliveryId>, _now: SystemTime) -> Reply<'_, ()> {
        let pool = &self.inner.pool;
        pool.run(
            "acknowledge deliveries",
            Mode::Write,
            deliveries,
            |db, ids| Box::pin(outbox::acknowledge(db, ids)),
        )
    }

    fn due_deliveries(
        &self,
        limit: usize,
        hold: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Delivery>> {
        let now = self.inner.time(now);
        let until = now.saturating_add(span_to_millis(hold));
        let pool = &self.inner.pool;
        let args = (limit, now, until);
        pool.run("claim deliveries", Mode::Write, args, |db, args| {
            let &(limit, now, until) = args;
            Box::pin(outbox::due(db, limit, now, until))
        })
    }

    fn postpone(&self, failed: Vec<(DeliveryId, Option<SystemTime>)>) -> Reply<'_, ()> {
        let inner = &self.inner;
        let failed = failed.into_iter();
        let failed = failed.map(|(delivery, at)| (delivery.0, at.map(|at| inner.time(at))));
        let args: (Vec<i64>, Vec<Option<i64>>) = failed.unzip();
        inner
            .pool
            .run("postpone deliveries", Mode::Write, args, |db, args| {
                Box::pin(outbox::postpone(db, &args.0, &args.1))
            })
    }

    fn outbox_counts(&self) -> Reply<'_, OutboxCounts> {
        let pool = &self.inner.pool;
        pool.run("count deliveries", Mode::Read, (), |db, ()| {
            Box::pin(outbox::counts(db))
        })
    }

    fn states(&self, keys: Vec<Key>) -> Reply<'_, Vec<Option<State>>> {
        let pool = &self.inner.pool;
        pool.run("read states", Mode::Read, keys, |db, keys| {
            Box::pin(report::states(db, keys))
        })
    }

    fn remember_url(&self, url: Key, number: i64, now: SystemTime) -> Reply<'_, ()> {
        let args = (url, number, self.inner.time(now));
        let pool = &self.inner.pool;
        pool.run("record a URL", Mode::Write, args, |db, args| {
            Box::pin(intake::remember_url(db, &args.0, args.1, args.2))
        })
    }

    fn recall_url(&self, url: Key, since: SystemTime) -> Reply<'_, Option<i64>> {
        let args = (url, self.inner.time(since));
        let pool = &self.inner.pool;
        pool.run("look up a URL", Mode::Read, args, |db, args| {
            Box::pin(report::recall_url(db, &args.0, args.1))
        })
    }

    fn retry(&self, classes: Vec<String>, now: SystemTime) -> Reply<'_, u64> {
        let args = (classes, self.inner.time(now));
        let pool = &self.inner.pool;
        pool.run("retry", Mode::Write, args, |db, args| {
            Box::pin(results::retry(db, &args.0, args.1))
        })
    }

    fn mark_list(&self, origin: String, is_read: bool) -> Reply<'_, ()> {
        let pool = &self.inner.pool;
        pool.run("mark list", Mode::Write, (origin, is_read), |db, args| {
            Box::pin(intake::mark_list(db, &args.0, args.1))
        })
    }

    fn shared_data_ids(&self, after: i64, limit: usize) -> Reply<'_, Vec<SharedDataId>> {
        let pool = &self.inner.pool;
        pool.run(
            "compare data ids",
            Mode::Read,
            (after, limit),
            |db, args| Box::pin(report::shared_data_ids(db, args.0, args.1)),
        )
    }

    fn backlog(&self) -> Reply<'_, Backlog> {
        let inner = &self.inner;
        Box::pin(async move {
            let read = inner.pool.run("read backlog", Mode::Read, (), |db, ()| {
                Box::pin(report::backlog(db))
            });
            let mut backlog = read.await?;
            for (_, at) in &mut backlog.due {
                *at = inner.local(*at);
            }
            backlog.first_expiry = backlog.first_expiry.map(|at| inner.local(at));
            Ok(backlog)
        })
    }

    fn stats(&self, now: SystemTime) -> Reply<'_, Stats> {
        let inner = &self.inner;
        let now = inner.time(now);
        Box::pin(async move {
            let counted = inner.pool.run("count", Mode::Read, now, |db, now| {
                Box::pin(report::stats(db, *now))
            });
            let mut stats = counted.await?;
            stats.oldest_unpolled = stats.oldest_unpolled.map(|at| inner.local(at));
            Ok(stats)
        })
    }

    fn workers(&self, now: SystemTime) -> Reply<'_, Vec<WorkerStatus>> {
        let inner = &self.inner;
        let now = inner.time(now);
        Box::pin(async move {
            let listed = inner.pool.run("list workers", Mode::Read, now, |db, now| {
                Box::pin(worker::list(db, *now))
            });
            let mut workers = listed.await?;
            for worker in &mut workers {
                worker.since = inner.local(worker.since);
            }
            Ok(workers)
        })
    }

    fn long_transactions(&self, age: Duration) -> Reply<'_, Vec<LongTransaction>> {
        let pool = &self.inner.pool;
        pool.run("list transactions", Mode::Read, age, |db, age| {
            Box::pin(host::long_transactions(db, *age))
        })
    }

    fn unreachable(&self) -> Option<Unreachable> {
        self.inner.pool.unreachable()
    }

    fn rows(&self, rows: Rows) -> Reply<'_, Vec<Row>> {
        let pool = &self.inner.pool;
        pool.run("read rows", Mode::Read, rows, |db, rows| {
            Box::pin(report::rows(db, *rows))
        })
    }
}
