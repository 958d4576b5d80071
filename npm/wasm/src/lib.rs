//! Greenlight's core behind eleven functions that WebAssembly exports; `engine.js` calls them.
//!
//! Bytes and texts pass through one buffer of 64 KB ([`input`]), results through one of JSON ([`output`]).
//! Gates are numbered: no pointer crosses the border but those of the two buffers. A panic aborts the instance,
//! and the caller replaces it.

mod failure;
mod read;
mod write;

use std::{cell::RefCell, str};

use greenlight::{
    Claim, Decision, Depth, Format, Gate, Inspection, Missing, Requirements, Violation,
};
use serde::Serialize;

/// The size of the input buffer, in bytes. `engine.js` has the same number.
const INPUT_BYTES: usize = 64 * 1024;

/// Results of [`push`], [`announce`] and [`finish`].
const PASSED: u32 = 0;
const REJECTED: u32 = 1;
/// The handle or the length is not valid.
const INVALID: u32 = 2;

struct Engine {
    input: Vec<u8>,
    output: Vec<u8>,
    /// By handle, less one.
    gates: Vec<Option<Gate>>,
}

thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::new(Engine {
        input: vec![0; INPUT_BYTES],
        output: Vec::new(),
        gates: Vec::new(),
    });
}

impl Engine {
    fn text(&self, len: usize) -> Option<&str> {
        str::from_utf8(self.input.get(..len)?).ok()
    }

    fn gate(&self, handle: usize) -> Option<&Gate> {
        self.gates.get(handle.checked_sub(1)?)?.as_ref()
    }

    fn gate_mut(&mut self, handle: usize) -> Option<&mut Gate> {
        self.gates.get_mut(handle.checked_sub(1)?)?.as_mut()
    }

    fn take(&mut self, handle: usize) -> Option<Gate> {
        self.gates.get_mut(handle.checked_sub(1)?)?.take()
    }

    /// Stores a gate in the first free slot and returns its handle.
    fn store(&mut self, gate: Gate) -> usize {
        let free = self.gates.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.gates.push(None);
            self.gates.len() - 1
        });
        self.gates[slot] = Some(gate);
        slot + 1
    }

    fn write(&mut self, value: &impl Serialize) {
        self.output.clear();
        if write::to(&mut self.output, value).is_err() {
            self.output.clear(); // not reached: every value is of a kind that is written
        }
    }

    /// Reads requirements from the input; an empty text is the default. The error is written to the output.
    fn requirements(&mut self, len: usize) -> Option<Requirements> {
        if len == 0 {
            return Some(Requirements::ASYNC);
        }
        let read = match self.text(len) {
            Some(text) => read::from_str(text).map_err(|error| format!("requirements: {error}")),
            None => Err("requirements: not a text of at most 64 KB".to_owned()),
        };
        match read {
            Ok(requirements) => Some(requirements),
            Err(error) => {
                self.write(&error);
                None
            }
        }
    }
}

/// A verdict as the command prints it, and the missing facts.
#[derive(Serialize)]
struct Report<'a> {
    decision: Decision,
    format: Option<&'static str>,
    width: Option<u32>,
    height: Option<u32>,
    bytes: Option<u64>,
    frames: Option<u32>,
    violations: &'a [Violation],
    missing: Vec<&'static str>,
}

impl<'a> Report<'a> {
    fn new(
        decision: Decision,
        facts: Option<&Inspection>,
        violations: &'a [Violation],
        missing: &[Missing],
    ) -> Self {
        let dimensions = facts.and_then(Inspection::dimensions);
        Self {
            decision,
            format: facts.and_then(Inspection::format).map(Format::name),
            width: dimensions.map(|dimensions| dimensions.width),
            height: dimensions.map(|dimensions| dimensions.height),
            bytes: facts.and_then(Inspection::len),
            frames: facts.and_then(Inspection::frames),
            violations,
            missing: missing.iter().map(|fact| fact.description()).collect(),
        }
    }
}

fn with<T>(run: impl FnOnce(&mut Engine) -> T) -> T {
    ENGINE.with_borrow_mut(run)
}

/// Returns the address of the input buffer.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *const u8 {
    with(|engine| engine.input.as_ptr())
}

/// Returns the address of the last result.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    with(|engine| engine.output.as_ptr())
}

/// Returns the length of the last result, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn output_len() -> usize {
    with(|engine| engine.output.len())
}

/// Opens a gate under the requirements in the input's first `len` bytes. Returns its handle, or 0 with an error
/// message as the result. `depth` is 0 for header, 1 for structure, 2 for payload.
#[unsafe(no_mangle)]
pub extern "C" fn open(depth: u32, len: usize) -> usize {
    with(|engine| {
        let depth = match depth {
            0 => Depth::Header,
            1 => Depth::Structure,
            #[cfg(feature = "payload")]
            2 => Depth::Payload,
            _ => {
                engine.write(&"this build does not read files at the requested depth");
                return 0;
            }
        };
        match engine.requirements(len) {
            Some(requirements) => engine.store(Gate::at(depth, requirements)),
            None => 0,
        }
    })
}

/// Writes the requirements in the input's first `len` bytes with every setting. Returns 0, or 1 with an error
/// message as the result.
#[unsafe(no_mangle)]
pub extern "C" fn requirements(len: usize) -> u32 {
    with(|engine| match engine.requirements(len) {
        Some(requirements) => {
            engine.write(&requirements);
            0
        }
        None => 1,
    })
}

/// Records what the file name (1) or the `Content-Type` (0) in the input claims.
#[unsafe(no_mangle)]
pub extern "C" fn claim(handle: usize, len: usize, is_name: u32) -> u32 {
    with(|engine| {
        let Some(text) = engine.text(len) else {
            return INVALID;
        };
        let claim = if is_name == 1 {
            Claim::from_name(text)
        } else {
            Claim::from_content_type(text)
        };
        match (engine.gate_mut(handle), claim) {
            (None, _) => return INVALID,
            (Some(gate), Some(claim)) => gate.claim(claim),
            (Some(_), None) => {}
        }
        PASSED
    })
}

/// Records the announced length of the file, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn announce(handle: usize, len: f64) -> u32 {
    with(|engine| match engine.gate_mut(handle) {
        Some(gate) => code(gate.announce_len(len as u64).is_err()),
        None => INVALID,
    })
}

/// Inspects the input's first `len` bytes as the next of the file.
#[unsafe(no_mangle)]
pub extern "C" fn push(handle: usize, len: usize) -> u32 {
    with(|engine| {
        let Some(chunk) = engine.input.get(..len) else {
            return INVALID;
        };
        let index = handle.wrapping_sub(1);
        match engine.gates.get_mut(index).and_then(Option::as_mut) {
            Some(gate) => code(gate.push(chunk).is_err()),
            None => INVALID,
        }
    })
}

/// Writes the verdict of the bytes so far.
#[unsafe(no_mangle)]
pub extern "C" fn look(handle: usize) -> u32 {
    with(|engine| {
        let Some(verdict) = engine.gate(handle).map(Gate::verdict_so_far) else {
            return INVALID;
        };
        let decision = verdict.decision();
        let (violations, missing) = (verdict.violations(), verdict.missing());
        engine.write(&Report::new(
            decision,
            verdict.inspection(),
            violations,
            missing,
        ));
        code(decision == Decision::Reject)
    })
}

/// Writes the verdict of the whole file and closes the gate.
#[unsafe(no_mangle)]
pub extern "C" fn finish(handle: usize) -> u32 {
    with(|engine| match engine.take(handle).map(Gate::finish) {
        Some(Ok(accepted)) => {
            let facts = accepted.inspection();
            engine.write(&Report::new(
                Decision::Accept,
                facts,
                accepted.warnings(),
                &[],
            ));
            PASSED
        }
        Some(Err(rejected)) => {
            let (decision, facts) = (rejected.decision(), rejected.inspection());
            let (violations, missing) = (rejected.violations(), rejected.missing());
            engine.write(&Report::new(decision, facts, violations, missing));
            REJECTED
        }
        None => INVALID,
    })
}

/// Closes a gate that is not finished. Any other handle is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn close(handle: usize) {
    with(|engine| drop(engine.take(handle)));
}

const fn code(is_rejected: bool) -> u32 {
    if is_rejected { REJECTED } else { PASSED }
}
