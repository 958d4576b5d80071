//! `greenlight dead`: the images that failed permanently, and why.

use serde::Serialize;

use super::export;
use crate::{
    cli::{
        args::DeadOptions,
        exit::{Exit, Failure},
        list::place_of,
        printer::{self, PrintedLine, Printer},
        report::text,
        terminal::{Cell, Row as Cells, Tone},
    },
    ledger::{Row, State},
};
use greenlight::TaskId;

/// Prints a line for each source of a dead image.
pub(crate) async fn run(options: DeadOptions) -> Result<Exit, Failure> {
    let ledger = super::open_to_read(&options.ledger).await?;
    let mut printer = Printer::new::<Dead>(&options.print)?;
    let mut after = 0;
    while let Some(rows) = export::page(&*ledger, &mut after, Some(State::Dead)).await? {
        for row in rows {
            if let Err(error) = printer.print(&Dead::of(row)) {
                return printer::ended(Err(error), || Exit::Success);
            }
        }
    }
    let printed = printer.finish().map(|()| Exit::Success);
    printer::ended(printed, || Exit::Success)
}

/// A source whose image failed permanently.
#[derive(Debug, Serialize)]
struct Dead {
    source: String,
    class: String,
    message: String,
    attempts: u32,
    task_id: Option<TaskId>,
    data_id: Option<String>,
    list: String,
    line: u64,
}

impl Dead {
    fn of(row: Row) -> Self {
        let (class, message) = row
            .reason
            .map(|reason| (reason.class, reason.message))
            .unwrap_or_default();
        Self {
            source: row
                .source
                .text
                .unwrap_or_else(|| row.location.text().into_owned()),
            class,
            message,
            attempts: row.attempts,
            task_id: row.task_id,
            data_id: row.source.data_id,
            list: row.source.origin,
            line: row.source.line,
        }
    }
}

const CLASS: usize = 20;

impl PrintedLine for Dead {
    fn heading() -> Option<Cells> {
        let row = [Cell::new("CLASS").left(CLASS), Cell::new("SOURCE")];
        Some(row.map(|cell| cell.tone(Tone::Heading)).to_vec())
    }

    fn rows(&self) -> Vec<Cells> {
        let first = Cell::new(&*self.class).left(CLASS).tone(Tone::Bad);
        let place = format!("{}:", place_of(&self.list, self.line));
        vec![
            vec![first, Cell::new(&*self.source)],
            vec![
                Cell::new("").left(CLASS),
                Cell::new(place).tone(Tone::Faint),
                Cell::new(&*self.message),
            ],
        ]
    }

    fn columns() -> Vec<&'static str> {
        vec![
            "source", "class", "message", "attempts", "task_id", "data_id", "list", "line",
        ]
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.source.clone(),
            self.class.clone(),
            self.message.clone(),
            self.attempts.to_string(),
            text(self.task_id.as_ref()),
            text(self.data_id.as_ref()),
            self.list.clone(),
            self.line.to_string(),
        ]
    }
}
