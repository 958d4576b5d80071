//! Ctrl-C: the first asks the command to come to an end, the second ends it.

use std::io;

#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;
use tokio::sync::watch;

/// Whether the command was interrupted.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    seen: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens for SIGINT from here on.
    pub(crate) fn listen() -> Self {
        let (tell, seen) = watch::channel(false);
        // Where no handler can be set, the signal ends the process as usual.
        if let Ok(mut signals) = signals() {
            tokio::spawn(async move {
                signals.recv().await;
                let _ = tell.send(true);
                signals.recv().await;
                insist();
            });
        }
        Self { seen }
    }

    /// Returns once the command was interrupted.
    pub(crate) async fn wait(&mut self) {
        if self.seen.wait_for(|seen| *seen).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
fn signals() -> io::Result<unix::Signal> {
    unix::signal(unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signals() -> io::Result<windows::CtrlC> {
    windows::ctrl_c()
}

#[expect(
    clippy::exit,
    reason = "the user asked twice: whatever hangs must not hold the process"
)]
fn insist() -> ! {
    std::process::exit(130)
}
