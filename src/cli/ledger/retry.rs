//! `greenlight retry`: makes images that failed permanently due again.

use crate::{
    cli::{
        args::RetryOptions,
        clock,
        exit::{Exit, Failure},
        terminal::{Cell, Terminal},
    },
    ledger::{State, Stats},
};

/// Makes images due again, and prints how many.
pub(crate) async fn run(options: RetryOptions) -> Result<Exit, Failure> {
    let RetryOptions { classes, ledger } = options;
    let opened = super::location::open_to_write(&ledger).await?;
    let before = opened.stats(clock::now()).await?;
    let found = classes_of(&before);
    // A mistyped class would retry nothing, and look like success.
    if let Some(unknown) = classes.iter().find(|class| !found.contains(class)) {
        let hint = match found.as_slice() {
            [] => "nothing in it is dead or rejected".to_owned(),
            found => format!("there are: {}", found.join(", ")),
        };
        let message = format!("no dead or rejected image is of the class `{unknown}`");
        return Err(Failure::new(message).hint(hint));
    }
    let count = opened.retry(classes, clock::now()).await?;
    let images = if count == 1 { "image" } else { "images" };
    let by_whom = match count {
        0 => String::new(),
        _ => format!(" by `greenlight resume{}`", ledger.argument()),
    };
    let text = format!("{count} {images} will be tried again{by_whom}");
    let printed = Terminal::stdout().rows(&[vec![Cell::new(text)]]);
    crate::cli::printer::ended(printed.map(|()| Exit::Success), || Exit::Success)
}

/// The classes that may be named, each once.
fn classes_of(stats: &Stats) -> Vec<String> {
    let classes = stats.classes.iter();
    let classes = classes.filter(|(state, ..)| matches!(state, State::Dead | State::Rejected));
    let mut classes: Vec<_> = classes.map(|(_, class, _)| class.clone()).collect();
    classes.sort();
    classes.dedup();
    classes
}
