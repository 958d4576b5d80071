//! The checks of a list's lines: in order, bounded, interruptible.

use std::{
    error::Error as _,
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use greenlight::{
    Decision, Depth, ErrorKind, Inspection, Requirements, Violation,
    ledger::Reason,
    pipeline::{Line, LineChecks, Subject},
    probe::Mode,
};

use super::{FIXTURES, block_on, line, probe_in, requirements};

fn file(name: &str, number: u64) -> Line {
    Line {
        subject: Subject::File(Path::new(FIXTURES).join(name)),
        ..line("", number)
    }
}

fn check(lines: Vec<Line>) -> LineChecks {
    LineChecks::start(&probe_in(Mode::Header), &requirements(), lines).unwrap()
}

#[test]
fn lines_of_all_kinds_are_checked_in_order() {
    block_on(async {
        let unusable = Subject::Unusable {
            text: "a\u{fffd}".to_owned(),
            reason: Reason {
                class: "list/encoding".to_owned(),
                message: "not UTF-8".to_owned(),
            },
        };
        let mut checks = check(vec![
            file("png/rgb.png", 1),
            line("ftp://example.com/a.png", 2),
            // In header mode too, files are read to their end.
            file("png/cut-in-data.png", 3),
            line("not a URL", 4),
            file("absent.png", 5),
            Line {
                subject: unusable,
                ..line("", 6)
            },
            file("gif/89a.gif", 7),
        ]);
        let mut decisions = Vec::new();
        let mut errors = Vec::new();
        while let Some(checked) = checks.next().await {
            let number = checked.line.source.line;
            match checked.result {
                Ok(verdict) => decisions.push((number, verdict.decision())),
                Err(error) => errors.push((number, error)),
            }
        }
        assert_eq!(
            decisions,
            [
                (1, Decision::Accept),
                (2, Decision::Reject),
                (3, Decision::Reject),
                (4, Decision::Reject),
                (7, Decision::Accept),
            ]
        );
        let [(5, absent), (6, unusable)] = &errors[..] else {
            panic!("{errors:?}");
        };
        let cause = absent.source().unwrap().downcast_ref::<io::Error>();
        assert_eq!(cause.unwrap().kind(), io::ErrorKind::NotFound);
        assert_eq!(unusable.kind(), ErrorKind::Usage);
        assert_eq!(unusable.report(), "not UTF-8");
        assert_eq!(checks.left(), 0);
    });
}

#[test]
fn after_a_stop_every_line_is_checked_or_left() {
    block_on(async {
        let lines = (1..=5000).map(|number| file("png/rgb.png", number));
        let mut checks = check(lines.collect());
        let mut done = 0;
        while done < 10 {
            done += 1;
            assert_eq!(checks.next().await.unwrap().line.source.line, done);
        }
        checks.stop();
        let mut last = done;
        while let Some(checked) = checks.next().await {
            assert!(checked.line.source.line > last, "in order");
            (done, last) = (done + 1, checked.line.source.line);
        }
        assert_eq!(done + checks.left(), 5000);
        assert!(checks.left() > 0);
    });
}

#[test]
fn reading_ahead_is_bounded_by_the_window() {
    block_on(async {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let endless = std::iter::repeat_with(move || {
            count.fetch_add(1, Ordering::SeqCst);
            file("png/rgb.png", 1)
        });
        let probe = greenlight::probe::Probe::builder()
            .concurrency(2)
            .build()
            .unwrap();
        let mut checks = LineChecks::start(&probe, &requirements(), endless).unwrap();
        for _ in 0..200 {
            checks.next().await.unwrap().result.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The window of 16 and the queue of 64, and one line that waits for room in it.
        let ahead = taken.load(Ordering::SeqCst) - 200;
        assert!(ahead <= 16 + 64 + 1, "{ahead}");
    });
}

/// Otherwise a list that ended early would look like one that was read to its end.
#[test]
fn a_panic_of_the_list_is_resumed() {
    block_on(async {
        let lines = (1..).map(|number| {
            assert!(number < 3, "as the test wants it");
            file("png/rgb.png", number)
        });
        let mut checks = LineChecks::start(&probe_in(Mode::Full), &requirements(), lines).unwrap();
        let all = tokio::spawn(async move { while checks.next().await.is_some() {} });
        assert!(all.await.unwrap_err().is_panic());
    });
}

#[test]
fn a_file_is_inspected_like_its_bytes() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bytes = fs::read(Path::new(FIXTURES).join("png/rgb.png")).unwrap();
    let len = u64::try_from(bytes.len()).unwrap();
    // Without an extension there is no claim.
    let path = folder.path().join("image");
    fs::write(&path, &bytes).unwrap();
    for depth in [Depth::Header, Depth::Structure, Depth::Payload] {
        let of_file = Inspection::from_path(depth, &path).unwrap();
        assert_eq!(of_file.claims().count(), 0);
        assert_eq!(of_file.len(), Some(len));
        assert!(of_file.is_ended());
        let of_bytes = Inspection::at(depth, &bytes);
        assert_eq!(of_file.dimensions(), of_bytes.dimensions());
        assert_eq!(of_file.defects(), of_bytes.defects());
        assert_eq!(of_file.frames(), of_bytes.frames());
    }
    let named = folder.path().join("image.gif");
    fs::write(&named, &bytes).unwrap();
    let verdict = Requirements::ASYNC.judge(Inspection::from_path(Depth::Header, &named).unwrap());
    let codes: Vec<_> = verdict.violations().iter().map(Violation::code).collect();
    assert_eq!(codes, [greenlight::Code::ImageTypeMismatch]);
    let error = Inspection::from_path(Depth::Header, folder.path()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
}

#[test]
fn a_file_is_read_up_to_the_limit_plus_one_byte() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("sparse.png");
    let max = Inspection::MAX_FILE_BYTES;
    for (len, bytes_seen, is_ended) in [
        (max, max, true),
        (max + 1, max + 1, false),
        (1 << 40, max + 1, false),
    ] {
        let file = fs::File::create(&path).unwrap();
        // A file system without sparse files of this size has no file to test.
        if file.set_len(len).is_err() {
            continue;
        }
        let inspection = Inspection::from_path(Depth::Payload, &path).unwrap();
        assert_eq!(inspection.bytes_seen(), bytes_seen, "{len}");
        assert_eq!(inspection.is_ended(), is_ended, "{len}");
        assert_eq!(inspection.len(), Some(len));
    }
    // An image format that is allowed, so that only the size limit ends the reading.
    let mut image = fs::read(Path::new(FIXTURES).join("png/rgb.png")).unwrap();
    let len = u64::try_from(image.len()).unwrap();
    for (max, is_accepted) in [(len, true), (len - 1, false)] {
        fs::write(&path, &image).unwrap();
        let file = greenlight::local_file::open(&path).unwrap();
        let requirements = Requirements::ASYNC.with_max_bytes(max);
        let verdict = requirements
            .judge_file(Depth::Structure, file, &path)
            .unwrap();
        assert_eq!(verdict.is_accepted(), is_accepted, "{verdict:?}");
    }
    image.resize(1 << 20, 0);
    fs::write(&path, &image).unwrap();
    let file = greenlight::local_file::open(&path).unwrap();
    let requirements = Requirements::ASYNC.with_max_bytes(len);
    let verdict = requirements
        .judge_file(Depth::Structure, file, &path)
        .unwrap();
    let seen = verdict.inspection().unwrap().bytes_seen();
    assert_eq!(seen, len + 1);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_inspected() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let pipe = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [&*pipe, Path::new("/dev/zero")] {
        let error = Inspection::from_path(Depth::Structure, path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
}

/// Such files state the length 0, and this one has no end that is reached in practice.
#[cfg(target_os = "linux")]
#[test]
fn a_file_without_a_stated_length_is_read_up_to_the_limit() {
    let inspection = Inspection::from_path(Depth::Payload, "/proc/self/pagemap").unwrap();
    assert_eq!(inspection.bytes_seen(), Inspection::MAX_FILE_BYTES + 1);
    assert!(!inspection.is_ended());
    assert!(!Requirements::ASYNC.judge(inspection).is_accepted());
    let inspection = Inspection::from_path(Depth::Payload, "/proc/version").unwrap();
    assert!(inspection.is_ended());
    assert_eq!(inspection.len(), Some(inspection.bytes_seen()));
}
