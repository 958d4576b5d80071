//! Connections: how many, how long they may take for a request head, and how they end.

use std::{future::Future, sync::Arc};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::time::sleep;

use super::{Limits, address::Socket};
use crate::accept::accept;

/// The read buffer of a connection, and so the largest request head, in bytes. hyper's default of
/// 400 KB is filled by fast uploads.
const BUFFER: usize = 64 << 10;

/// Accepts connections until `shutdown` completes, and then waits for the requests in progress.
pub(super) async fn run(
    socket: Socket,
    router: Router,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
) {
    let socket = Arc::new(socket);
    let next = move || {
        let socket = Arc::clone(&socket);
        async move { socket.accept().await }
    };
    let graceful = GracefulShutdown::new();
    let serve = |stream| {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_buf_size(BUFFER)
            .serve_connection(
                TokioIo::new(stream),
                TowerToHyperService::new(router.clone()),
            );
        let connection = graceful.watch(connection);
        async move {
            // An error here is a client that disconnected or that does not use HTTP/1.
            let _ = connection.await;
        }
    };
    let mut connections = accept(limits.connections, next, serve, shutdown).await;
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(limits.shutdown_time) => {}
    }
    // Requests that are still in progress are dropped.
    connections.shutdown().await;
}
