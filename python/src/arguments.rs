//! Arguments as values of Rust. Their errors name the argument and what is expected.

use std::time::Duration;

use pyo3::{
    exceptions::{PyOverflowError, PyTypeError, PyValueError},
    prelude::*,
    types::{PyByteArray, PyBytes, PyDict, PySequence, PyString},
};

/// Reads a value by PyO3's rules for `T`.
pub(crate) fn typed<'py, T: FromPyObjectOwned<'py>>(
    name: &str,
    expected: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<T> {
    let read = value.extract::<T>();
    read.map_err(|error| mistyped(name, expected, value, error.into()))
}

/// Reads a number that is not negative. Python's have no upper limit, so a larger one counts as the
/// largest: no image and no list is that long.
pub(crate) fn count(name: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let py = value.py();
    match value.extract::<u64>() {
        Ok(number) => Ok(number),
        Err(error) if !error.is_instance_of::<PyOverflowError>(py) => {
            Err(mistyped(name, "an int", value, error))
        }
        Err(_) if value.lt(0)? => Err(out_of_range(name, "must not be negative", value)),
        Err(_) => Ok(u64::MAX),
    }
}

/// Reads a number of seconds, as a float or an int.
pub(crate) fn seconds(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds = match value.extract::<f64>() {
        Ok(seconds) => seconds,
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => f64::INFINITY,
        Err(error) => return Err(mistyped(name, "a number of seconds", value, error)),
    };
    // 2^64 seconds is the first number that a `Duration` cannot hold.
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| out_of_range(name, "must be from 0 to 1.8e19 seconds", value))
}

/// Reads a sequence, which a single text is not.
pub(crate) fn list<'py, T: FromPyObjectOwned<'py>>(
    name: &str,
    expected: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Vec<T>> {
    if is_text(value) {
        return Err(not(name, expected, &kind(value)));
    }
    let sequence = value.cast::<PySequence>();
    let sequence = sequence.map_err(|error| mistyped(name, expected, value, error.into()))?;
    let items = sequence.try_iter()?.map(|item| {
        let item = item?;
        element(name, expected, &item)
    });
    items.collect()
}

/// Reads a dict of texts.
pub(crate) fn pairs(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let expected = "a dict of str to str";
    let dict = value.cast::<PyDict>();
    let dict = dict.map_err(|error| mistyped(name, expected, value, error.into()))?;
    let pairs = dict.iter().map(|(key, value)| {
        Ok((
            element(name, expected, &key)?,
            element(name, expected, &value)?,
        ))
    });
    pairs.collect()
}

/// Returns the error for one source where several are expected. Python would iterate over its
/// characters.
pub(crate) fn not_single(name: &str, expected: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if !is_text(value) {
        return Ok(());
    }
    let found = format!("{}: put one URL into a list", kind(value));
    Err(not(name, expected, &found))
}

fn element<'py, T: FromPyObjectOwned<'py>>(
    name: &str,
    expected: &str,
    item: &Bound<'py, PyAny>,
) -> PyResult<T> {
    item.extract::<T>().map_err(|error| {
        let error = error.into();
        if error.is_instance_of::<PyTypeError>(item.py()) {
            not(name, expected, &format!("one with {}", kind(item)))
        } else {
            error
        }
    })
}

/// Replaces the text of a `TypeError`. Another error is the value's own.
pub(crate) fn mistyped(
    name: &str,
    expected: &str,
    value: &Bound<'_, PyAny>,
    error: PyErr,
) -> PyErr {
    if error.is_instance_of::<PyTypeError>(value.py()) {
        not(name, expected, &kind(value))
    } else {
        error
    }
}

fn not(name: &str, expected: &str, found: &str) -> PyErr {
    PyTypeError::new_err(format!("{name}: expected {expected}, not {found}"))
}

fn out_of_range(name: &str, allowed: &str, value: &Bound<'_, PyAny>) -> PyErr {
    // Python refuses to write an int of more than 4,300 digits.
    let message = match value.repr() {
        Ok(value) => format!("{name}: {allowed}: {value}"),
        Err(_) => format!("{name}: {allowed}"),
    };
    PyValueError::new_err(message)
}

fn is_text(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
}

fn kind(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name();
    name.map_or_else(|_| "another type".to_owned(), |name| name.to_string())
}
