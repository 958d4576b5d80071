//! Ctrl-C, and the signals of service managers and closed terminals: the first one stops the command
//! in order, the second one immediately.

use std::io;

#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;
use tokio::sync::watch;

use super::terminal;

/// Whether the command was interrupted.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    seen: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP from here on.
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

    /// Whether the command was interrupted.
    pub(crate) fn is_seen(&self) -> bool {
        *self.seen.borrow()
    }

    /// Returns once the command was interrupted.
    pub(crate) async fn wait(&mut self) {
        if self.seen.wait_for(|seen| *seen).await.is_err() {
            // The sender was dropped, because no handler could be set.
            std::future::pending::<()>().await;
        }
    }
}

/// What asks the command to end.
#[cfg(unix)]
struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: Option<unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    async fn recv(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

#[cfg(unix)]
fn signals() -> io::Result<Signals> {
    use unix::{SignalKind, signal};

    let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup()));
    Ok(Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        hangup: hangup.transpose()?,
    })
}

/// Whether the parent process wants this one to outlive its terminal (`nohup`). Where that is unknown
/// the signal is left unchanged.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = 1 << (unix::SignalKind::hangup().as_raw_value() - 1);
    mask.is_none_or(|mask| mask & bit != 0)
}

#[cfg(windows)]
struct Signals(windows::CtrlC);

#[cfg(windows)]
impl Signals {
    async fn recv(&mut self) {
        self.0.recv().await;
    }
}

#[cfg(windows)]
fn signals() -> io::Result<Signals> {
    Ok(Signals(windows::ctrl_c()?))
}

#[expect(
    clippy::exit,
    reason = "the user asked twice: whatever hangs must not hold the process"
)]
fn insist() -> ! {
    terminal::abandon_progress();
    std::process::exit(130)
}
