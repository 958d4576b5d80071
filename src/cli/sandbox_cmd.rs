//! `greenlight sandbox`: a mock of the moderation service.

use super::{
    args::{SandboxOptions, entry_of},
    exit::{Exit, Failure},
    interrupt::Interrupt,
    printer,
    terminal::{Cell, Terminal},
};
use crate::sandbox::Sandbox;

/// Runs a sandbox until it is interrupted.
pub(crate) async fn run(
    options: SandboxOptions,
    mut interrupt: Interrupt,
) -> Result<Exit, Failure> {
    let sandbox = options.start().await?;
    let mut terminal = Terminal::stdout();
    if let Err(error) = introduce(&mut terminal, &sandbox, &options) {
        return printer::ended(Err(error), || Exit::Success);
    }
    interrupt.wait().await;
    Ok(Exit::Interrupted)
}

/// Prints its address and how to use it.
fn introduce(
    terminal: &mut Terminal,
    sandbox: &Sandbox,
    options: &SandboxOptions,
) -> std::io::Result<()> {
    let endpoint = sandbox.endpoint();
    let key = sandbox.credentials();
    let secret = match options.key {
        Some(_) => "<secret>",
        None => key.secret(),
    };
    let mut lines = vec![
        format!("sandbox listening on http://{}", sandbox.address()),
        String::new(),
        "This is a mock of the moderation service; to use it:".to_owned(),
        format!("  export ALIBABA_CLOUD_ACCESS_KEY_ID={}", key.id()),
        format!("  export ALIBABA_CLOUD_ACCESS_KEY_SECRET={secret}"),
    ];
    if key.token().is_some() {
        lines.push("  export ALIBABA_CLOUD_SECURITY_TOKEN=<token>".to_owned());
    }
    let reached = sandbox.reached();
    lines.push(if reached.ip().is_loopback() {
        format!("  greenlight scan URL... --endpoint {endpoint}")
    } else {
        "  greenlight sends keys over http to loopback alone: for it, listen on 127.0.0.1"
            .to_owned()
    });
    if let (Some(folder), Some(url)) = (&options.serve, sandbox.folder_url()) {
        let allowed = entry_of(reached);
        lines.push(String::new());
        lines.push(format!("It serves the files of {}:", folder.display()));
        lines.push(format!(
            "  greenlight check {url}/NAME --allow-address {allowed}"
        ));
    }
    lines.push(String::new());
    lines.push("Ctrl-C ends it".to_owned());
    let rows: Vec<_> = lines
        .into_iter()
        .map(|line| vec![Cell::new(line)])
        .collect();
    terminal.rows(&rows)
}
