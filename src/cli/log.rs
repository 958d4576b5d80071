//! `--verbose`: the library's events on standard error.

use std::io::{self, Write};

use tracing::Level;
use tracing_subscriber::{
    filter::Targets,
    fmt::{self, format::FmtSpan},
    layer::{Layer as _, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use super::{args::Log, terminal};

/// Logs what is probed, retried and waited for; from the second level on every attempt at a request.
pub(crate) fn set_up(log: Log) {
    let (level, spans) = match log.level {
        0 => return,
        1 => (Level::INFO, FmtSpan::NONE),
        _ => (Level::DEBUG, FmtSpan::CLOSE),
    };
    let lines = fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_span_events(spans)
        .with_writer(Event::default);
    // Dependencies have events too, of their connections' every frame.
    let own = Targets::new().with_target("greenlight", level);
    let registry = tracing_subscriber::registry();
    // There is no other subscriber in this process.
    #[cfg(feature = "serve")]
    if log.is_json {
        let lines = lines.json().flatten_event(true);
        let _ = registry.with(lines.with_filter(own)).try_init();
        return;
    }
    let _ = registry.with(lines.with_filter(own)).try_init();
}

/// The text of one event, printed as a whole.
#[derive(Default)]
struct Event {
    text: Vec<u8>,
}

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        terminal::log(&String::from_utf8_lossy(&self.text));
    }
}
