//! Accepts connections, a limited number at a time.

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

/// Delay after a failed accept, usually because no file handle is left.
const RETRY: Duration = Duration::from_millis(50);

/// Accepts connections with `next` until `end` completes, and spawns the future that `serve` returns for
/// each. At most `max` are open; others wait in the system's queue. Returns those that are still open,
/// which end when they are dropped.
pub(crate) async fn accept<Stream, Next, Serving>(
    max: usize,
    mut next: impl FnMut() -> Next,
    mut serve: impl FnMut(Stream) -> Serving,
    end: impl Future<Output = ()>,
) -> JoinSet<()>
where
    Next: Future<Output = io::Result<Stream>>,
    Serving: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(max));
    let mut connections = JoinSet::new();
    let accepting = async {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            let stream = loop {
                tokio::select! {
                    // Ended connections are removed, or the set would only grow.
                    Some(_) = connections.join_next() => {}
                    accepted = next() => match accepted {
                        Ok(stream) => break stream,
                        Err(_) => sleep(RETRY).await,
                    },
                }
            };
            let serving = serve(stream);
            connections.spawn(async move {
                serving.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        biased;
        () = end => {}
        () = accepting => {}
    }
    connections
}
