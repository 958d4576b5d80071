//! The inspector over streams and asynchronous readers.

use std::{convert::Infallible, io};

use futures_util::stream;
use greenlight::{Depth, Inspection};

use crate::fixtures::image;

#[tokio::test]
async fn a_stream_gives_the_same_facts_as_a_slice() {
    let file = image("gif/animated.gif");
    let chunks = file.chunks(100).map(Ok::<_, Infallible>);
    let inspection = Inspection::of_stream(Depth::Payload, stream::iter(chunks)).await;
    assert_eq!(inspection.unwrap(), Inspection::at(Depth::Payload, &file));
}

#[tokio::test]
async fn an_async_reader_gives_the_same_facts_as_a_slice() {
    let file = image("gif/animated.gif");
    let inspection = Inspection::read_async(Depth::Structure, &file[..]).await;
    assert_eq!(inspection.unwrap(), Inspection::of(&file));
}

#[tokio::test]
async fn a_failing_stream_is_an_error() {
    let chunks = [Ok(&b"GIF89a"[..]), Err(io::Error::other("gone"))];
    let failed = Inspection::of_stream(Depth::Structure, stream::iter(chunks)).await;
    assert_eq!(failed.unwrap_err().to_string(), "gone");
}
