//! Connections: how many, how long they may take for a request head, and how they end.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use super::{Limits, address::Socket};

/// The read buffer of a connection, and so the largest request head, in bytes. hyper's default of
/// 400 KB is filled by fast uploads.
const BUFFER: usize = 64 << 10;

/// Delay after a failed accept, usually because no file handle is left.
const RETRY_ACCEPT: Duration = Duration::from_millis(50);

/// Accepts connections until `shutdown` completes, and then waits for the requests in progress.
pub(super) async fn run(
    socket: Socket,
    router: Router,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let place = tokio::select! {
            biased;
            () = &mut shutdown => break,
            place = Arc::clone(&room).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break None,
                Some(_) = connections.join_next() => {}
                accepted = socket.accept() => break Some(accepted),
            }
        };
        let Some(accepted) = accepted else { break };
        let Ok(stream) = accepted else {
            sleep(RETRY_ACCEPT).await;
            continue;
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_buf_size(BUFFER)
            .serve_connection(
                TokioIo::new(stream),
                TowerToHyperService::new(router.clone()),
            );
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // An error here is a client that disconnected or that does not use HTTP/1.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(socket);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(limits.shutdown_time) => {}
    }
    // Requests that are still in progress are dropped.
    connections.shutdown().await;
}
