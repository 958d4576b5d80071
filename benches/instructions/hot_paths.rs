//! Counts the instructions of inspecting a file of each format at each depth, and of a signature.

#[expect(dead_code, reason = "the suite has more sizes and formats")]
#[path = "../suite/pictures.rs"]
mod pictures;
#[path = "../suite/signature.rs"]
mod signature;

use std::{fmt::Write as _, hint::black_box};

use greenlight::{
    Depth, Inspection,
    green::{
        Credentials, Secret,
        sign::{self, Parts, Signature},
    },
};
use gungraun::prelude::*;

/// The size of a picture in bytes, about.
const PICTURE: usize = 100_000;

#[library_benchmark(setup = picture)]
#[bench::jpeg_header("jpeg", Depth::Header)]
#[bench::jpeg_structure("jpeg", Depth::Structure)]
#[bench::jpeg_payload("jpeg", Depth::Payload)]
#[bench::jpeg_progressive_structure("jpeg-progressive", Depth::Structure)]
#[bench::jpeg_progressive_payload("jpeg-progressive", Depth::Payload)]
#[bench::png_header("png", Depth::Header)]
#[bench::png_structure("png", Depth::Structure)]
#[bench::png_payload("png", Depth::Payload)]
#[bench::png_palette_payload("png-palette", Depth::Payload)]
#[bench::gif_header("gif", Depth::Header)]
#[bench::gif_structure("gif", Depth::Structure)]
#[bench::gif_payload("gif", Depth::Payload)]
#[bench::bmp_header("bmp", Depth::Header)]
#[bench::bmp_structure("bmp", Depth::Structure)]
#[bench::bmp_payload("bmp", Depth::Payload)]
fn inspect((picture, depth): (Vec<u8>, Depth)) -> Inspection {
    let inspection = Inspection::at(depth, black_box(&picture));
    assert!(inspection.is_complete() && inspection.defects().is_empty());
    black_box(inspection)
}

fn picture(format: &str, depth: Depth) -> (Vec<u8>, Depth) {
    (pictures::picture(format, PICTURE), depth)
}

#[library_benchmark(setup = body)]
#[bench::fifty_tasks()]
fn roa(body: Vec<u8>) -> Signature {
    black_box(signature::sign_once(black_box(&body), &credentials()))
}

#[library_benchmark]
fn acs3() -> Signature {
    let parts = Parts {
        method: "POST",
        path: "/",
        query: &[
            ("Service", "baselineCheck"),
            (
                "ServiceParameters",
                "{\"imageUrl\":\"https://images.example.com/a.jpg\"}",
            ),
        ],
        headers: &[
            ("host", "green-cip.ap-southeast-1.aliyuncs.com"),
            ("x-acs-action", "ImageAsyncModeration"),
            (
                "x-acs-content-sha256",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            ("x-acs-date", "2026-01-17T10:16:36Z"),
            (
                "x-acs-signature-nonce",
                "339497c2-d91f-4c17-a0a3-1192ee9e2202",
            ),
            ("x-acs-version", "2022-03-02"),
        ],
    };
    black_box(sign::acs3(black_box(&parts), &credentials()))
}

fn credentials() -> Credentials {
    Credentials::new(
        "LTAIexampleAccessKeyId00",
        Secret::new("exampleSecretKey0123456789ABCD"),
    )
}

/// A body of the usual size: fifty tasks.
fn body() -> Vec<u8> {
    let mut body = String::from(r#"{"scenes":["porn","terrorism"],"tasks":["#);
    for number in 0..50 {
        let comma = if number > 0 { "," } else { "" };
        write!(
            body,
            r#"{comma}{{"dataId":"{number:08}","url":"https://images.example.com/2026/01/{number:08}/picture-of-usual-length.jpg"}}"#
        )
        .unwrap();
    }
    (body + "]}").into()
}

library_benchmark_group!(name = inspection, benchmarks = inspect);
library_benchmark_group!(name = signing, benchmarks = [roa, acs3]);

main!(library_benchmark_groups = [inspection, signing]);
