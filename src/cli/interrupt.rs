//! Ctrl-C: the first asks the command to come to an end, the second ends it.

use tokio::{signal, sync::watch};

/// Whether the command was interrupted.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    seen: watch::Receiver<bool>,
}

impl Interrupt {
    /// Begins to listen for SIGINT.
    pub(crate) fn listen() -> Self {
        let (tell, seen) = watch::channel(false);
        tokio::spawn(async move {
            if signal::ctrl_c().await.is_err() {
                // No handler could be set: SIGINT ends the process as usual.
                return std::future::pending().await;
            }
            let _ = tell.send(true);
            let _ = signal::ctrl_c().await;
            insist();
        });
        Self { seen }
    }

    /// Returns once the command was interrupted.
    pub(crate) async fn wait(&mut self) {
        if self.seen.wait_for(|seen| *seen).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[expect(
    clippy::exit,
    reason = "the user asked twice: whatever hangs must not hold the process"
)]
fn insist() -> ! {
    std::process::exit(130)
}
