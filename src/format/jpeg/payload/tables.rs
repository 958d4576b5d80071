//! The Huffman tables of a file, by class and number (T.81 B.2.4.2).

use super::huffman::{Definition, Runs, Table};
use crate::format::work::Work;

/// Picoseconds that making a look-up table of a Huffman code costs.
const TABLE: u64 = 700_000;

/// Picoseconds that making a look-up table of runs costs.
const RUNS: u64 = 30_000_000;

/// As defined; what scans look up is made when the first one needs it. That costs more than the few
/// bytes of a definition are worth, so it is counted as work.
#[derive(Debug, Default)]
pub(in crate::format::jpeg) struct Tables {
    dc: [Slot; 4],
    ac: [Slot; 4],
    /// Whether the last one is of the class DC, and its number.
    last: (bool, u8),
}

#[derive(Debug, Default)]
struct Slot {
    definition: Option<Definition>,
    table: Option<Box<Table>>,
    runs: Option<Box<Runs>>,
}

impl Tables {
    /// Begins the definition of a table.
    pub(in crate::format::jpeg) fn define(&mut self, dc: bool, number: u8, counts: [u8; 16]) {
        self.last = (dc, number);
        if let Some(slot) = self.slot() {
            *slot = Slot {
                definition: Some(Definition::new(counts)),
                ..Slot::default()
            };
        }
    }

    /// Adds the next symbols of the table whose definition was begun.
    pub(in crate::format::jpeg) fn symbols(&mut self, symbols: &[u8]) {
        if let Some(definition) = self.slot().and_then(|slot| slot.definition.as_mut()) {
            definition.extend(symbols);
        }
    }

    /// Forgets the table whose definition was begun: it is not one.
    pub(in crate::format::jpeg) fn forget(&mut self) {
        if let Some(slot) = self.slot() {
            *slot = Slot::default();
        }
    }

    fn slot(&mut self) -> Option<&mut Slot> {
        let (dc, number) = self.last;
        let slots = if dc { &mut self.dc } else { &mut self.ac };
        slots.get_mut(usize::from(number))
    }

    /// Makes sure of the DC table that `numbers` names; `None` if it is not defined, or costs too much.
    pub(super) fn make_dc(&mut self, numbers: u8, work: &mut Work) -> Option<()> {
        self.dc.get_mut(usize::from(numbers >> 4))?.make_table(work)
    }

    /// The same of an AC table.
    pub(super) fn make_ac(&mut self, numbers: u8, work: &mut Work) -> Option<()> {
        self.ac.get_mut(usize::from(numbers & 15))?.make_table(work)
    }

    /// Makes what reads sequential blocks faster with an AC table, which only long scans are worth.
    pub(super) fn make_runs(&mut self, numbers: u8, work: &mut Work) -> Option<()> {
        let slot = self.ac.get_mut(usize::from(numbers & 15))?;
        if slot.runs.is_none() {
            let table = slot.table.as_deref()?;
            work.spend(RUNS)?;
            slot.runs = Some(Runs::new(table));
        }
        Some(())
    }

    pub(super) fn dc(&self, numbers: u8) -> Option<&Table> {
        self.dc.get(usize::from(numbers >> 4))?.table.as_deref()
    }

    pub(super) fn ac(&self, numbers: u8) -> Option<&Table> {
        self.ac.get(usize::from(numbers & 15))?.table.as_deref()
    }

    /// DC and AC table of a block in a sequential scan, and the runs of the latter.
    pub(super) fn sequential(&self, numbers: u8) -> Option<(&Table, &Table, &Runs)> {
        let slot = self.ac.get(usize::from(numbers & 15))?;
        let runs = slot.runs.as_deref().unwrap_or(Runs::none());
        Some((self.dc(numbers)?, slot.table.as_deref()?, runs))
    }
}

impl Slot {
    fn make_table(&mut self, work: &mut Work) -> Option<()> {
        if self.table.is_none() {
            let definition = self.definition.as_ref()?;
            work.spend(TABLE)?;
            self.table = Some(Table::new(definition));
        }
        Some(())
    }
}
