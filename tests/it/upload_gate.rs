//! The gate over streams and readers.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{StreamExt, stream};
use greenlight::{Code, Decision, Gate, GateError, ImageUrl, Requirements};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::images::png;

type Chunk = Result<Vec<u8>, io::Error>;

fn chunks(bytes: &[u8], size: usize) -> Vec<Chunk> {
    bytes.chunks(size).map(|chunk| Ok(chunk.to_vec())).collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_stream_passes_a_valid_image_and_fills_the_receipt() {
    let image = png(300, 300, 10_000);
    run(async {
        let mut gated = Gate::new(Requirements::ASYNC).over(stream::iter(chunks(&image, 1_000)));
        let receipt = gated.receipt();
        let mut passed = Vec::new();
        while let Some(chunk) = gated.next().await {
            assert!(receipt.result().is_none(), "no verdict before the end");
            passed.extend(chunk.unwrap());
        }
        assert_eq!(passed, image);
        let accepted = receipt.into_result().unwrap();
        assert_eq!(
            accepted.inspection().unwrap().bytes_seen(),
            u64::try_from(image.len()).unwrap()
        );
    });
}

#[test]
fn chunks_are_passed_on_without_copying() {
    let image = bytes::Bytes::from(png(300, 300, 10_000));
    run(async {
        let source = stream::iter([Ok::<_, io::Error>(image.clone())]);
        let mut gated = Gate::new(Requirements::ASYNC).over(source);
        let passed = gated.next().await.unwrap().unwrap();
        assert_eq!(passed.as_ptr(), image.as_ptr());
    });
}

#[test]
fn a_stream_is_rejected_at_the_first_fatal_chunk() {
    let small = png(100, 100, 50_000);
    run(async {
        let mut gated = Gate::new(Requirements::ASYNC).over(stream::iter(chunks(&small, 64)));
        let receipt = gated.receipt();
        // 64 bytes hold the signature and the header with the dimensions.
        let Some(Err(GateError::Refused(rejected))) = gated.next().await else {
            panic!("not refused at the first chunk");
        };
        assert_eq!(rejected.violations()[0].code(), Code::ImageTooSmall);
        assert!(gated.next().await.is_none(), "nothing follows a refusal");
        let code = receipt.into_result().unwrap_err().violations()[0].code();
        assert_eq!(code, Code::ImageTooSmall);
        let left = gated.into_source().count().await;
        assert_eq!(left, small.len().div_ceil(64) - 1);
    });
}

#[test]
fn a_truncated_stream_ends_with_an_error() {
    let image = png(300, 300, 10_000);
    let cut = &image[..5_000];
    run(async {
        let gated = Gate::new(Requirements::ASYNC).over(stream::iter(chunks(cut, 1_000)));
        let receipt = gated.receipt();
        let items: Vec<_> = gated.collect().await;
        assert_eq!(items.len(), 6);
        assert!(matches!(&items[5], Err(GateError::Refused(rejected))
            if rejected.violations()[0].code() == Code::ImageTruncated));
        assert_eq!(
            receipt.into_result().unwrap_err().decision(),
            Decision::Reject
        );
    });
}

#[test]
fn a_failing_stream_returns_its_error_and_never_accepts() {
    run(async {
        let broken = vec![
            Ok(png(300, 300, 0)),
            Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        ];
        let gated = Gate::new(Requirements::ASYNC).over(stream::iter(broken));
        let receipt = gated.receipt();
        let items: Vec<_> = gated.collect().await;
        assert!(matches!(&items[1], Err(GateError::Source(error))
            if error.kind() == io::ErrorKind::ConnectionReset));
        let rejected = receipt.into_result().unwrap_err();
        assert_eq!(rejected.decision(), Decision::Inconclusive);
        assert!(rejected.inspection().unwrap().dimensions().is_some());
    });
}

#[test]
fn a_rejection_converts_to_an_io_error() {
    let gated = Gate::new(Requirements::ASYNC).over(stream::iter(chunks(&[0; 100], 100)));
    let refused = run(gated
        .map(|item| item.map_err(io::Error::from))
        .collect::<Vec<_>>());
    let error = refused[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.get_ref().unwrap().is::<greenlight::Rejected>());
}

#[test]
fn an_unread_source_is_not_accepted() {
    let gated = Gate::new(Requirements::ASYNC).over(stream::iter(chunks(&png(300, 300, 0), 64)));
    let receipt = gated.receipt();
    drop(gated);
    let rejected = receipt.into_result().unwrap_err();
    assert_eq!(rejected.decision(), Decision::Inconclusive);
}

#[test]
fn a_reader_passes_a_valid_image_and_fills_the_receipt() {
    let image = png(300, 300, 10_000);
    run(async {
        let mut gated = Gate::new(Requirements::ASYNC).over(image.as_slice());
        let receipt = gated.receipt();
        let mut passed = Vec::new();
        gated.read_to_end(&mut passed).await.unwrap();
        assert_eq!(passed, image);
        assert!(receipt.into_result().is_ok());
        assert_eq!(gated.read(&mut [0; 8]).await.unwrap(), 0, "the end stays");
    });
}

#[test]
fn a_reader_repeats_its_rejection_and_withholds_the_chunk() {
    let small = png(100, 100, 50_000);
    run(async {
        let mut gated = Gate::new(Requirements::ASYNC).over(small.as_slice());
        let mut buffer = [0; 1_000];
        for _ in 0..3 {
            let error = gated.read(&mut buffer).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains("image/too-small"), "{error}");
        }
    });
}

/// A reader that returns one byte at a time and is interrupted before each.
struct Stutter<'a> {
    rest: &'a [u8],
    interrupt: bool,
}

impl AsyncRead for Stutter<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
        }
        if let Some((first, rest)) = self.rest.split_first() {
            buf.put_slice(&[*first]);
            self.rest = rest;
        }
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_interrupted_read_can_be_continued() {
    let image = png(300, 300, 0);
    run(async {
        let source = Stutter {
            rest: &image,
            interrupt: false,
        };
        let mut gated = Gate::new(Requirements::ASYNC).over(source);
        let mut passed = Vec::new();
        let mut byte = [0];
        loop {
            match gated.read(&mut byte).await {
                Ok(0) => break,
                Ok(_) => passed.push(byte[0]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
            }
        }
        assert_eq!(passed, image);
        assert!(gated.receipt().into_result().is_ok());
    });
}

#[test]
fn an_announced_length_above_the_limit_is_rejected() {
    let mut gate = Gate::new(Requirements::SYNC);
    gate.announce_len(5 << 20).unwrap();
    let rejected = gate.announce_len((5 << 20) + 1).unwrap_err();
    assert_eq!(rejected.violations()[0].code(), Code::ImageTooLarge);
    assert!(
        gate.push(b"\x89PNG").is_err(),
        "it is refused for every later call"
    );
}

proptest! {
    /// The gate's verdict does not depend on the chunking or the transport.
    #[test]
    fn any_chunking_gives_the_same_verdict(
        side in 200_u32..300,
        filler in 0_usize..2_000,
        cut in 0.5_f64..=1.0,
        size in 1_usize..500,
    ) {
        let image = png(side, side, filler);
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_sign_loss,
            clippy::cast_precision_loss, reason = "a share of a small number")]
        let image = &image[..(image.len() as f64 * cut) as usize];
        let mut gate = Gate::new(Requirements::ASYNC);
        let whole = gate.push(image).and_then(|()| gate.finish());
        run(async {
            let gated = Gate::new(Requirements::ASYNC).over(stream::iter(chunks(image, size)));
            let streamed = gated.receipt();
            let _ = gated.count().await;
            let mut gated = Gate::new(Requirements::ASYNC).over(image);
            let read = gated.receipt();
            let mut buffer = vec![0; size];
            while gated.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
            for verdict in [streamed.into_result(), read.into_result()] {
                prop_assert_eq!(verdict.is_ok(), whole.is_ok());
                if let (Err(one), Err(other)) = (&verdict, &whole) {
                    // A later chunk may add a violation; the first is the same.
                    prop_assert_eq!(one.violations()[0].code(), other.violations()[0].code());
                }
            }
            Ok(())
        })?;
    }
}

/// An upload that was accepted and stored is submitted by its URL.
#[test]
fn a_stored_upload_needs_a_valid_url() {
    let image = png(300, 300, 0);
    let mut gate = Gate::new(Requirements::ASYNC);
    gate.push(&image).unwrap();
    let accepted = gate.finish().unwrap();
    let url = |text: &str| ImageUrl::parse(text).unwrap();

    let stored = Requirements::ASYNC
        .judge_stored(&accepted, url("https://images.example.com/a.png"))
        .into_result()
        .unwrap();
    assert_eq!(
        stored.subject().as_str(),
        "https://images.example.com/a.png"
    );
    assert!(stored.inspection().unwrap().dimensions().is_some());

    let secret = url("https://user:password@images.example.com/a.png");
    let verdict = Requirements::ASYNC.judge_stored(&accepted, secret);
    assert_eq!(verdict.violations()[0].code(), Code::UrlCredentials);
    assert!(!verdict.is_accepted());
    let strict = Requirements::ASYNC.with_min_width(1_000);
    let verdict = strict.judge_stored(&accepted, url("https://images.example.com/a.png"));
    assert_eq!(verdict.violations()[0].code(), Code::ImageTooSmall);
}
