//! `--verbose`: the library's events on standard error.

use std::{
    borrow::Cow,
    io::{self, Write},
};

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
        terminal::log(&with_option(&String::from_utf8_lossy(&self.text)));
    }
}

/// Names the option that allows an address of the webhook: the library's text names none.
fn with_option(text: &str) -> Cow<'_, str> {
    if text.contains("an outcome was not delivered") && text.contains(ALLOW) {
        Cow::Owned(text.replace(ALLOW, "allow it with --webhook-address "))
    } else {
        Cow::Borrowed(text)
    }
}

/// The end of the reason why an address is refused, before the entry.
const ALLOW: &str = "the address policy needs the allow entry ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::AddressPolicy;

    #[test]
    fn a_refused_webhook_names_its_option() {
        let refused = AddressPolicy::new().check(([10, 0, 0, 7], 80).into());
        let reason = refused.unwrap_err().to_string();
        let text = format!("an outcome was not delivered reason=\"{reason}\"");
        let expected = "allow it with --webhook-address 10.0.0.7/32:80\"";
        assert!(
            with_option(&text).ends_with(expected),
            "{}",
            with_option(&text)
        );
        assert_eq!(with_option(&reason), reason, "another event");
    }
}
