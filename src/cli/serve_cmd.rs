//! `greenlight serve`: an HTTP server that checks images for other programs.

use super::{
    args::ServeOptions,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    printer,
    terminal::{self, Terminal},
};
use crate::serve::Server;
use greenlight::Requirements;

/// Serves requests until it is interrupted.
pub(crate) async fn run(options: ServeOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let requirements = options.check.requirements(&Requirements::ASYNC)?;
    let probe = options.check.probe(&requirements, None)?;
    let tokens = options.tokens()?;
    if tokens.is_empty() && !options.listen.is_local() {
        let message = format!("{} can be reached from other hosts", options.listen);
        return Err(Failure::new(message).hint(
            "name the tokens of its clients with --token-file FILE, or listen on 127.0.0.1 or a socket",
        ));
    }
    let server = Server::builder()
        .listen(options.listen.clone())
        .requirements(requirements)
        .depth(options.check.depth.into())
        .probe(probe)
        .limits(options.limits())
        .tokens(tokens)
        .bind()
        .await?;
    let line = format!("listening on {}\n", server.url());
    if let Err(error) = Terminal::stdout().data(line.as_bytes()) {
        return printer::ended(Err(error), || Exit::Success);
    }
    server
        .run(async {
            interrupt.wait().await;
            terminal::note(
                "finishing the requests in progress; interrupt again to end immediately",
            );
        })
        .await;
    // Service managers end a server with a signal, and expect success.
    Ok(Exit::Success)
}
