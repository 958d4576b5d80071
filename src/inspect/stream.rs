//! Inspecting asynchronous streams and readers.

use std::{
    future::{pending, poll_fn},
    io,
    pin::{Pin, pin},
};

use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::{Depth, Inspection, Inspector, READ_BUFFER};

impl Inspection {
    /// Inspects a stream's chunks to its end, at `depth`, holding none of them.
    ///
    /// # Errors
    ///
    /// Returns the stream's error. What is wrong with the bytes is never an error.
    pub async fn of_stream<S, B, E>(depth: Depth, stream: S) -> Result<Self, E>
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]>,
    {
        let mut stream = pin!(stream);
        let mut inspector = Inspector::new(depth);
        while let Some(chunk) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            inspector.push(chunk?.as_ref());
        }
        Ok(inspector.finish_until(pending()).await)
    }

    /// Inspects an asynchronous reader's bytes to its end, at `depth`, holding 64 KB at a time.
    ///
    /// # Errors
    ///
    /// Returns the reader's error. What is wrong with the bytes is never an error.
    pub async fn read_async(depth: Depth, reader: impl AsyncRead) -> io::Result<Self> {
        let mut reader = pin!(reader);
        let mut inspector = Inspector::new(depth);
        let mut buffer = vec![0; READ_BUFFER];
        loop {
            let read = read_some(reader.as_mut(), &mut buffer).await?;
            if read.is_empty() {
                return Ok(inspector.finish_until(pending()).await);
            }
            inspector.push(read);
        }
    }
}

async fn read_some<'a>(
    mut reader: Pin<&mut impl AsyncRead>,
    buffer: &'a mut [u8],
) -> io::Result<&'a [u8]> {
    let mut room = ReadBuf::new(buffer);
    poll_fn(|cx| reader.as_mut().poll_read(cx, &mut room)).await?;
    let read = room.filled().len();
    Ok(buffer.get(..read).unwrap_or_default())
}
