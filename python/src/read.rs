//! Reading one image: bytes, a buffer, a file object or a path.

use std::{io, path::PathBuf};

use greenlight::{Depth, Identity, Inspection, Inspector, Requirements, local_file};
use pyo3::{
    exceptions::{PyOSError, PyTypeError, PyUnicodeDecodeError},
    prelude::*,
    types::{PyBytes, PyMemoryView, PySlice, PyString},
};

/// The largest chunk, in bytes.
const CHUNK: usize = 128 * 1024;

/// The first chunk at header depth, in bytes.
const HEADER_CHUNK: usize = 4 * 1024;

/// Letting the lock go costs more than inspecting fewer bytes than these.
pub(crate) const WORTH_DETACHING: usize = 64 * 1024;

/// Judges any source that `inspect` accepts. Returns its name too, if it has one.
pub(crate) fn source(
    source: &Bound<'_, PyAny>,
    depth: Depth,
    requirements: &Requirements,
) -> PyResult<(Option<String>, greenlight::Verdict)> {
    let py = source.py();
    if let Ok(bytes) = source.cast::<PyBytes>() {
        let inspection = whole(py, bytes.as_bytes(), depth);
        return Ok((None, requirements.judge(inspection)));
    }
    if source.is_instance_of::<PyString>() || source.hasattr("__fspath__")? {
        let path: PathBuf = source.extract()?;
        let verdict = py.detach(|| {
            let opened = local_file::open(&path)?;
            requirements.judge_file(depth, opened, &path)
        });
        let verdict = verdict.map_err(|error| with_path(source, &error))?;
        return Ok((Some(path.to_string_lossy().into_owned()), verdict));
    }
    if let Ok(view) = PyMemoryView::from(source) {
        let inspection = buffer(&view, depth, requirements)?;
        return Ok((None, requirements.judge(inspection)));
    }
    if source.hasattr("read")? {
        let inspection = file_object(source, depth, requirements)?;
        return Ok((None, requirements.judge(inspection)));
    }
    let kind = source.get_type().name()?;
    let message = format!("expected bytes, a buffer of bytes, a path or a binary file, not {kind}");
    Err(PyTypeError::new_err(message))
}

/// An `OSError` of the kind that the error number has, with the path as its `filename`: the text as
/// given, as `open` does it.
fn with_path(path: &Bound<'_, PyAny>, error: &io::Error) -> PyErr {
    let py = path.py();
    let number = match error.kind() {
        io::ErrorKind::IsADirectory => Some(EISDIR),
        _ => error.raw_os_error(),
    };
    let arguments = py.import("os").and_then(|os| {
        let text = match number {
            Some(number) => os.call_method1("strerror", (number,))?.extract()?,
            None => error.to_string(),
        };
        let path = os.call_method1("fspath", (path,))?.unbind();
        Ok((number.unwrap_or(EINVAL), text, path))
    });
    match arguments {
        Ok(arguments) => PyOSError::new_err(arguments),
        Err(failed) => failed,
    }
}

/// Equal on every system that Python supports.
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;

/// `bytes` cannot change, so they are read in place.
fn whole(py: Python<'_>, bytes: &[u8], depth: Depth) -> Inspection {
    if depth > Depth::Header && bytes.len() >= WORTH_DETACHING {
        py.detach(|| Inspection::at(depth, bytes))
    } else {
        Inspection::at(depth, bytes)
    }
}

/// Another thread may write to a buffer meanwhile, so each chunk is copied.
fn buffer(
    view: &Bound<'_, PyMemoryView>,
    depth: Depth,
    requirements: &Requirements,
) -> PyResult<Inspection> {
    let py = view.py();
    if !view.getattr("c_contiguous")?.extract::<bool>()? {
        let bytes = view.call_method0("tobytes")?;
        return Ok(whole(py, bytes.cast::<PyBytes>()?.as_bytes(), depth));
    }
    let view = view.call_method1("cast", ("B",))?;
    let len = view.len()?;
    let announced = u64::try_from(len).unwrap_or(u64::MAX);
    let mut inspector = Inspector::new(depth);
    inspector.announce_len(announced);
    let mut offset: usize = 0;
    walk(
        inspector,
        depth,
        Some(announced),
        requirements,
        |inspector, most| {
            let end = offset.saturating_add(most).min(len);
            let slice = view.get_item(slice(py, offset, end)?)?;
            let chunk = slice.call_method0("tobytes")?;
            push(py, inspector, chunk.cast::<PyBytes>()?.as_bytes());
            let pushed = end - offset;
            offset = end;
            Ok(pushed)
        },
    )
}

fn slice(py: Python<'_>, start: usize, end: usize) -> PyResult<Bound<'_, PySlice>> {
    Ok(PySlice::new(
        py,
        isize::try_from(start)?,
        isize::try_from(end)?,
        1,
    ))
}

/// Reads a binary file object from where it is to its end.
fn file_object(
    file: &Bound<'_, PyAny>,
    depth: Depth,
    requirements: &Requirements,
) -> PyResult<Inspection> {
    let py = file.py();
    let read = file.getattr("read")?;
    let inspector = Inspector::new(depth);
    walk(inspector, depth, None, requirements, |inspector, most| {
        let chunk = read.call1((most,)).map_err(|error| not_binary(py, error))?;
        let bytes = chunk.cast::<PyBytes>().map_err(|_error| {
            let kind = chunk
                .get_type()
                .name()
                .map_or_else(|_| String::new(), |name| name.to_string());
            PyTypeError::new_err(format!(
                "read() returned {kind}, not bytes: open the file in binary mode"
            ))
        })?;
        let bytes = bytes.as_bytes();
        push(py, inspector, bytes);
        Ok(bytes.len())
    })
}

/// A file in text mode fails at the first bytes that are not text.
fn not_binary(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyUnicodeDecodeError>(py) {
        return error;
    }
    let message = "read() decodes text and does not return bytes: open the file in binary mode";
    let explained = PyTypeError::new_err(message);
    explained.set_cause(py, Some(error));
    explained
}

fn push(py: Python<'_>, inspector: &mut Inspector, chunk: &[u8]) {
    if chunk.len() >= WORTH_DETACHING {
        py.detach(|| inspector.push(chunk));
    } else {
        inspector.push(chunk);
    }
}

/// Calls `push` with the length of the next chunk, until it returns 0 or the rest cannot change the
/// decision.
fn walk<E>(
    mut inspector: Inspector,
    depth: Depth,
    len: Option<u64>,
    requirements: &Requirements,
    mut push: impl FnMut(&mut Inspector, usize) -> Result<usize, E>,
) -> Result<Inspection, E> {
    let mut most = match depth {
        Depth::Header => HEADER_CHUNK,
        _ => CHUNK,
    };
    while !is_enough(&inspector, depth, len, requirements) {
        if push(&mut inspector, most)? == 0 {
            return Ok(inspector.finish());
        }
        most = most.saturating_mul(4).min(CHUNK);
    }
    Ok(inspector.inspection().clone())
}

/// Whether the rest can be left unread.
fn is_enough(
    inspector: &Inspector,
    depth: Depth,
    len: Option<u64>,
    requirements: &Requirements,
) -> bool {
    let facts = inspector.inspection();
    let is_rejected = match facts.identity() {
        Identity::Undecided => false,
        Identity::Format(format) => !requirements.allows(format),
        _ => true,
    };
    let is_settled = depth == Depth::Header && inspector.is_settled();
    facts.bytes_seen() > requirements.max_bytes() || (len.is_some() && (is_rejected || is_settled))
}
