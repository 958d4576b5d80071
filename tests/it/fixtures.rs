//! The fixture images: the committed bytes equal the generated ones.

#[path = "../../fixtures/catalogue/mod.rs"]
pub(crate) mod catalogue;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use catalogue::Fixture;
use greenlight::{Claim, Code, Depth, Format, Inspection, Inspector, Requirements};

/// All fixtures, generated once.
static ALL: LazyLock<Vec<Fixture>> = LazyLock::new(catalogue::all);

/// The name and bytes of every fixture.
#[cfg(feature = "serde")]
pub(crate) fn images() -> Vec<(&'static str, Vec<u8>)> {
    let images = ALL.iter();
    images.map(|one| (one.path, one.bytes.clone())).collect()
}

/// Returns the name and bytes of every fixture of a format.
pub(crate) fn images_of(format: Format) -> Vec<(&'static str, Vec<u8>)> {
    let is_one = |one: &&Fixture| Inspection::of(&one.bytes).format() == Some(format);
    let images = ALL.iter().filter(is_one);
    let images: Vec<_> = images.map(|one| (one.path, one.bytes.clone())).collect();
    assert!(images.len() >= 10);
    images
}

/// Returns the bytes of a committed image.
#[cfg(any(feature = "client", feature = "payload", feature = "stream"))]
pub(crate) fn image(name: &str) -> Vec<u8> {
    fs::read(folder().join("images").join(name)).expect("the fixture is committed")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn files_in(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is committed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_in(&path, found);
        } else {
            found.insert(path);
        }
    }
}

#[test]
fn committed_images_equal_the_generated_ones() {
    let images = folder().join("images");
    let mut committed = BTreeSet::new();
    files_in(&images, &mut committed);
    for fixture in ALL.iter() {
        let path = images.join(fixture.path);
        assert!(
            fs::read(&path).unwrap() == fixture.bytes,
            "{} differs",
            fixture.path
        );
        assert!(committed.remove(&path), "{} is listed twice", fixture.path);
    }
    assert_eq!(
        committed,
        BTreeSet::new(),
        "files that the generator does not make"
    );
}

#[test]
fn the_fixture_page_equals_the_generated_one() {
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    assert!(page == catalogue::readme(&ALL));
}

#[test]
fn every_code_that_bytes_can_raise_has_a_fixture() {
    let held: BTreeSet<&str> = ALL
        .iter()
        .flat_map(|fixture| fixture.codes)
        .copied()
        .collect();
    let asked: BTreeSet<&str> = Code::ALL
        .iter()
        .map(|code| code.name())
        .filter(|name| name.starts_with("image/"))
        // These would need megabytes, or a deeper depth than structure.
        .filter(|name| !["image/too-large", "image/not-examined"].contains(name))
        .collect();
    assert_eq!(held, asked);
}

#[test]
fn accepted_fixtures_name_every_answer_of_the_sandbox() {
    let accepted = || ALL.iter().filter(|fixture| fixture.is_accepted());
    for word in ["porn", "sexy"] {
        assert!(
            accepted().any(|fixture| fixture.path.contains(word)),
            "{word}"
        );
    }
    assert!(accepted().any(|fixture| !fixture.path.contains("in-its-name")));
}

#[test]
fn every_fixture_has_its_documented_verdict() {
    for fixture in ALL.iter() {
        let mut inspector = Inspector::new(Depth::Structure);
        if let Some(claim) = Claim::from_name(fixture.path) {
            inspector.claim(claim);
        }
        inspector.push(&fixture.bytes);
        let verdict = Requirements::ASYNC.judge(inspector.finish());
        let found: BTreeSet<&str> = verdict
            .violations()
            .iter()
            .map(|violation| violation.code().name())
            .collect();
        let asked: BTreeSet<&str> = fixture.codes.iter().copied().collect();
        assert_eq!(found, asked, "{}", fixture.path);
        let accepted = verdict.is_accepted();
        assert_eq!(accepted, fixture.is_accepted(), "{}", fixture.path);
    }
}

#[cfg(feature = "decode")]
#[test]
fn every_accepted_fixture_decodes_at_the_measured_size() {
    use std::io::Cursor;

    use greenlight::{Dimensions, Inspection};

    // The `image` crate does not support OS/2's second header.
    let known = |fixture: &&Fixture| fixture.is_accepted() && fixture.path != "bmp/os2-v2.bmp";
    for fixture in ALL.iter().filter(known) {
        let measured = Inspection::of(&fixture.bytes).dimensions();
        let decoded = image::ImageReader::new(Cursor::new(&fixture.bytes))
            .with_guessed_format()
            .expect("memory can be read")
            .decode()
            .unwrap_or_else(|error| panic!("{}: {error}", fixture.path));
        let decoded = Dimensions::new(decoded.width(), decoded.height());
        assert_eq!(measured, Some(decoded), "{}", fixture.path);
    }
}

/// What the rejection of a format says, by fixture.
pub(crate) const NAMED: [(&str, &str); 9] = [
    (
        "other/picture.jp2",
        "JPEG 2000 is not scanned: convert it to",
    ),
    ("other/picture.pbm", "PNM is not scanned: convert it to"),
    ("other/picture.qoi", "QOI is not scanned: convert it to"),
    ("other/picture.icns", "ICNS is not scanned: convert it to"),
    ("other/picture.tga", "TGA is not scanned: convert it to"),
    ("other/video.mp4", "MP4 is a video, not an image"),
    ("other/video.mov", "MOV is a video, not an image"),
    ("other/page.html", "a web page, not an image"),
    ("other/archive.zip", "a ZIP archive, not an image"),
];

/// The bytes of a fixture.
pub(crate) fn bytes(path: &str) -> &'static [u8] {
    let fixture = ALL.iter().find(|fixture| fixture.path == path);
    &fixture.expect("it is in the catalogue").bytes
}

#[test]
fn rejected_formats_are_named_at_every_depth() {
    for (path, words) in NAMED {
        // The name of a TGA is in its footer.
        let is_tga = path.ends_with("tga");
        for depth in Depth::ALL.iter().skip(usize::from(is_tga)) {
            for size in [1, 50, 1 << 20] {
                let mut inspector = Inspector::new(*depth);
                for chunk in bytes(path).chunks(size) {
                    inspector.push(chunk);
                }
                let verdict = Requirements::ASYNC.judge(inspector.finish());
                let [violation] = verdict.violations() else {
                    panic!("{path} at {depth:?}: {verdict:?}")
                };
                assert_eq!(violation.code(), Code::ImageFormatUnsupported, "{path}");
                let message = violation.message();
                assert!(message.starts_with(words), "{path} at {depth:?}: {message}");
            }
        }
    }
}
