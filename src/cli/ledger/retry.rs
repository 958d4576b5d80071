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
    let unstored = Unstored::of(&before, &classes);
    let is_left = |class: &String| !unstored.entirely.contains(class);
    let left: Vec<_> = classes.iter().filter(|class| is_left(class)).collect();
    // Without a class, every dead image would be retried.
    let retried = if left.is_empty() && !classes.is_empty() {
        0
    } else {
        let left = left.into_iter().cloned().collect();
        opened.retry(left, clock::now()).await?
    };
    let count = retried.saturating_sub(unstored.retried);
    let by_whom = match count {
        0 => String::new(),
        _ => format!(" by `greenlight resume{}`", ledger.argument()),
    };
    let mut text = vec![format!("{} will be tried again{by_whom}", images(count))];
    if unstored.images > 0 {
        text.push(format!(
            "{}: the ledger does not have the source as it was listed: run `greenlight scan` with the \
             list again",
            images(unstored.images)
        ));
    }
    let rows = text.into_iter().map(|text| vec![Cell::new(text)]);
    let printed = Terminal::stdout().rows(&rows.collect::<Vec<_>>());
    crate::cli::printer::ended(printed.map(|()| Exit::Success), || Exit::Success)
}

fn images(count: u64) -> String {
    let images = if count == 1 { "image" } else { "images" };
    format!("{count} {images}")
}

/// Rejected images of the named classes that no run can read from the ledger.
#[derive(Default)]
struct Unstored {
    images: u64,
    /// Those whose class has dead images too, so that both are made due.
    retried: u64,
    /// The classes without other images.
    entirely: Vec<String>,
}

impl Unstored {
    fn of(stats: &Stats, classes: &[String]) -> Self {
        let mut unstored = Self::default();
        for (state, class, count) in &stats.classes {
            let is_unstored = *state == State::Rejected && is_not_stored(class);
            if !is_unstored || !classes.contains(class) {
                continue;
            }
            unstored.images += count;
            let is_dead =
                |(state, other, _): &(State, String, u64)| *state == State::Dead && other == class;
            if stats.classes.iter().any(is_dead) {
                unstored.retried += count;
            } else {
                unstored.entirely.push(class.clone());
            }
        }
        unstored
    }
}

/// Whether rejected images of the class are in the ledger without what would have to be read: the
/// file could not be read when the list was, so nothing identifies its bytes; or the line has no
/// source; or the URL is stored without its password.
fn is_not_stored(class: &str) -> bool {
    let prefixes = ["file/", "list/"];
    prefixes.iter().any(|prefix| class.starts_with(prefix))
        || ["source/not-stored", "url/credentials"].contains(&class)
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
