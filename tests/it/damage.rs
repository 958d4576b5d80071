//! Damage at generated positions in the coded pixels of each format: the defect is reported within
//! 64 bytes of it, for any chunks.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use greenlight::{DefectKind, Defects, Depth, Inspection, Inspector};
use proptest::{prelude::*, sample::Index};
use zlib_rs::DeflateFlush;

use crate::fixtures::image;

fn offset_of(defects: &Defects, kinds: &[DefectKind]) -> Option<u64> {
    let found = defects.iter().find(|(found, _)| kinds.contains(found));
    found.and_then(|(_, offset)| offset)
}

/// Checks that a defect is reported near the damage, also in small chunks.
fn assert_near(file: &[u8], kind: DefectKind, damage: usize) -> Result<(), TestCaseError> {
    assert_one_near(file, &[kind], damage)
}

/// The same for damage that may be one of several defects.
fn assert_one_near(file: &[u8], kinds: &[DefectKind], damage: usize) -> Result<(), TestCaseError> {
    let inspection = Inspection::at(Depth::Payload, file);
    let defects = inspection.defects();
    let damage = u64::try_from(damage).unwrap();
    let is_near = |offset: u64| offset.abs_diff(damage) <= 64;
    prop_assert!(
        offset_of(defects, kinds).is_some_and(is_near),
        "damage at {}: {:?}",
        damage,
        defects
    );
    let mut inspector = Inspector::new(Depth::Payload);
    for chunk in file.chunks(11) {
        inspector.push(chunk);
    }
    let in_chunks = inspector.finish();
    prop_assert_eq!(in_chunks.defects(), defects);
    Ok(())
}

/// A scan of a JPEG: whether it refines a DC coefficient, and where its coded data is.
struct Scan {
    refines_dc: bool,
    start: usize,
    end: usize,
}

/// Finds the scans of a well-formed file (ITU-T T.81, B.1.1.4 and B.2.3).
fn scans(file: &[u8]) -> Vec<Scan> {
    let mut scans = Vec::new();
    let mut at = 2;
    while file[at + 1] != 0xd9 {
        let (marker, len) = (
            file[at + 1],
            usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]])),
        );
        at += 2 + len;
        if marker == 0xda {
            let start = at;
            while file[at] != 0xff || matches!(file[at + 1], 0 | 0xd0..=0xd7) {
                at += 1;
            }
            let (first, approximation) = (file[start - 3], file[start - 1]);
            scans.push(Scan {
                refines_dc: first == 0 && approximation >> 4 != 0,
                start,
                end: at,
            });
        }
    }
    scans
}

const JPEGS: [&str; 6] = [
    "jpeg/baseline-420.jpg",
    "jpeg/baseline-444.jpg",
    "jpeg/cmyk.jpg",
    "jpeg/gray.jpg",
    "jpeg/progressive.jpg",
    "jpeg/progressive.jpg",
];

/// A JPEG and a place in the coded data of one of its scans.
fn jpeg_and_place() -> impl Strategy<Value = (Vec<u8>, Scan, usize)> {
    (prop::sample::select(&JPEGS[..]), any::<[Index; 2]>()).prop_filter_map(
        "the scan is too short",
        |(name, [scan, place])| {
            let file = image(name);
            let mut scans = scans(&file);
            let scan = scans.swap_remove(scan.index(scans.len()));
            let len = (scan.end - scan.start).checked_sub(8)?;
            let mut place = scan.start + place.index(len.max(1));
            // Between a byte 0xff and the zero after it is no place.
            place += usize::from(file[place - 1] == 0xff && place > scan.start);
            Some((file, scan, place))
        },
    )
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// Image data of stored blocks, in IDAT chunks of a length.
struct Png {
    data: Vec<u8>,
    interlaced: bool,
    chunk: usize,
}

/// The header of zlib, and that of a stored block.
const ZLIB: usize = 2;
const BLOCK: usize = 5;

impl Png {
    const SIDE: u32 = 300;

    /// The offsets of the rows in the image data of 8-bit gray pixels (PNG, 8.1 and 9.2).
    fn rows(interlaced: bool) -> Vec<usize> {
        let passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ];
        let whole = [(0, 0, 1, 1)];
        let passes = if interlaced { &passes[..] } else { &whole };
        let mut rows = vec![0];
        for (x, y, across, down) in passes {
            let width = usize::try_from((Self::SIDE - x).div_ceil(*across)).unwrap();
            for _ in 0..(Self::SIDE - y).div_ceil(*down) {
                rows.push(rows[rows.len() - 1] + 1 + width);
            }
        }
        rows
    }

    /// `bytes` as a zlib stream of stored blocks (RFC 1950, RFC 1951), without a checksum.
    fn stored(bytes: &[u8], interlaced: bool, chunk: usize) -> Self {
        let mut data = vec![0x78, 0x01];
        let mut blocks = bytes.chunks(0xffff).peekable();
        while let Some(block) = blocks.next() {
            let len = u16::try_from(block.len()).unwrap();
            data.push(u8::from(blocks.peek().is_none()));
            data.extend(len.to_le_bytes());
            data.extend((!len).to_le_bytes());
            data.extend(block);
        }
        Self {
            data,
            interlaced,
            chunk,
        }
    }

    /// The offset of a byte of the zlib stream in the file.
    fn place(&self, at: usize) -> usize {
        8 + 25 + 12 * (at / self.chunk) + 8 + at
    }

    /// The offset of a byte of the image data in the file.
    fn place_of_pixel(&self, at: usize) -> usize {
        self.place(ZLIB + BLOCK * (at / 0xffff + 1) + at)
    }

    fn bytes(&self) -> Vec<u8> {
        let side = Self::SIDE.to_be_bytes();
        let flag = u8::from(self.interlaced);
        let mut header = [side, side].concat();
        header.extend([8, 0, 0, 0, flag]);
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut add = |name: &[u8; 4], data: &[u8]| {
            file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
            let body = [&name[..], data].concat();
            file.extend(&body);
            file.extend(crc32fast::hash(&body).to_be_bytes());
        };
        add(b"IHDR", &header);
        self.data
            .chunks(self.chunk)
            .for_each(|data| add(b"IDAT", data));
        add(b"IEND", b"");
        file
    }
}

/// `bytes` as a zlib stream, compressed.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    compressed_at(6, bytes)
}

fn compressed_at(level: i32, bytes: &[u8]) -> Vec<u8> {
    let mut data = vec![0; bytes.len() + 1000];
    let mut deflate = zlib_rs::Deflate::new(level, true, 15);
    deflate
        .compress(bytes, &mut data, DeflateFlush::Finish)
        .unwrap();
    data.truncate(deflate.total_out().try_into().unwrap());
    data
}

/// Rows of filter type 0, in stripes of a number of rows and a highest sample each.
fn striped(rows: &[usize], stripes: &[(usize, u8)], seed: u64) -> Vec<u8> {
    let mut random = seed | 1;
    let heights = stripes.iter().cycle();
    let mut masks = heights.flat_map(|(height, mask)| std::iter::repeat_n(*mask, *height));
    let mut pixels = Vec::new();
    for row in rows.windows(2) {
        let mask = masks.next().unwrap();
        pixels.push(0);
        for _ in row[0] + 1..row[1] {
            // Xorshift.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            pixels.push(random.to_le_bytes()[3] & mask);
        }
    }
    pixels
}

/// How many bytes of a zlib stream a decompressor needs, one at a time, to write the byte at `at`.
fn read_until(data: &[u8], at: usize) -> usize {
    let mut inflate = zlib_rs::Inflate::new(true, 15);
    let mut output = vec![0; at + 1];
    for (read, byte) in data.iter().enumerate() {
        let written = usize::try_from(inflate.total_out()).unwrap();
        let output = &mut output[written..];
        let status = inflate.decompress(&[*byte], output, zlib_rs::InflateFlush::NoFlush);
        status.unwrap();
        if inflate.total_out() > at.try_into().unwrap() {
            return read;
        }
    }
    panic!("no byte at {at}")
}

/// A GIF of 200x200 pixels, a code of 9 bits for each, and the offset of the code of one.
fn gif(interlaced: bool, block: usize, pixel: usize, code: u32) -> (Vec<u8>, usize) {
    gif_with(interlaced, block, pixel, code, &[257])
}

/// The same with other codes after the pixels.
fn gif_with(
    interlaced: bool,
    block: usize,
    pixel: usize,
    code: u32,
    rest: &[u32],
) -> (Vec<u8>, usize) {
    let (mut coded, mut held, mut count, mut at) = (Vec::new(), 0_u32, 0, 0);
    let mut push = |code: u32| {
        held |= code << count;
        count += 9;
        while count >= 8 {
            coded.push(u8::try_from(held & 0xff).unwrap());
            held >>= 8;
            count -= 8;
        }
        coded.len()
    };
    for index in 0..40_000 {
        // Before the codes get longer.
        if index % 200 == 0 {
            push(256);
        }
        let end = push(if index == pixel { code } else { 7 });
        if index == pixel {
            at = end;
        }
    }
    for (index, code) in (40_000..).zip(rest) {
        let end = push(*code);
        if index == pixel {
            at = end;
        }
    }
    push(0);
    let mut file = b"GIF89a\xc8\0\xc8\0\x80\0\0rgbRGB".to_vec();
    file.extend(b",\0\0\0\0\xc8\0\xc8\0");
    file.extend([u8::from(interlaced) << 6, 8]);
    let place = file.len() + at + at / block + 1;
    for data in coded.chunks(block) {
        file.push(u8::try_from(data.len()).unwrap());
        file.extend(data);
    }
    file.extend(b"\0;");
    (file, place)
}

/// A bitmap of 100x100 pixels in two runs for each row, of which one row is replaced, and its offset.
fn rle_8(row: usize, replaced: &[u8]) -> (Vec<u8>, usize) {
    rle_8_with(100, row, replaced, &[0, 1])
}

/// The same with another width, and other codes after the last row.
fn rle_8_with(width: u32, row: usize, replaced: &[u8], rest: &[u8]) -> (Vec<u8>, usize) {
    let second = u8::try_from(width - 50).unwrap();
    let whole = [50, 1, second, 2, 0, 0];
    let mut rows: Vec<&[u8]> = vec![&whole; 100];
    if let Some(row) = rows.get_mut(row) {
        *row = replaced;
    }
    let coded = [&rows.concat()[..], rest].concat();
    let mut file = b"BM".to_vec();
    let pixels = 54_u32 + 1024;
    let len = u32::try_from(coded.len()).unwrap();
    for number in [pixels + len, 0, pixels, 40, width, 100, 0x0008_0001, 1, len] {
        file.extend(number.to_le_bytes());
    }
    file.resize(usize::try_from(pixels).unwrap(), 0);
    let place = file.len() + 6 * row;
    file.extend(coded);
    (file, place)
}

/// Adler-32 (RFC 1950, 8.2).
fn adler(bytes: &[u8]) -> [u8; 4] {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    (high << 16 | low).to_be_bytes()
}

/// A gray JPEG of 1024x512 pixels, two bits for each block, of which one has too many coefficients; and
/// the offset of that block. The DC code 0 is no difference; the AC codes are 0 for the end of the block
/// and 10 for four zeros and a coefficient of one bit.
fn overrun(block: usize) -> (Vec<u8>, usize) {
    let mut file = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    file.extend([1; 64]);
    file.extend([0xff, 0xc0, 0, 11, 8, 2, 0, 4, 0, 1, 1, 0x11, 0]);
    let mut table = |class: u8, counts: [u8; 2], symbols: &[u8]| {
        let len = u8::try_from(19 + symbols.len()).unwrap();
        file.extend([0xff, 0xc4, 0, len, class]);
        file.extend(counts);
        file.extend([0; 14]);
        file.extend(symbols);
    };
    table(0x00, [1, 0], &[0]);
    table(0x10, [1, 1], &[0x00, 0x41]);
    file.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    let mut bits = Vec::new();
    let mut place = 0;
    for index in 0..128 * 64 {
        if index == block {
            place = file.len() + bits.len() / 8;
            // Twelve are 60 coefficients; the thirteenth ends beyond the block.
            bits.push(0);
            bits.extend([1, 0, 0].repeat(13));
        } else {
            bits.extend([0, 0]);
        }
    }
    let bytes = bits.chunks(8).map(|bits| {
        let shifted = bits.iter().zip((0..8).rev());
        shifted.fold(0, |byte, (bit, shift)| byte | bit << shift)
    });
    file.extend(bytes);
    file.extend([0xff, 0xd9]);
    (file, place)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn data_after_the_last_block_is_reported_where_it_is(
        (mut file, scan, _) in jpeg_and_place(),
        more in 2_usize..5_000,
    ) {
        file.splice(scan.end..scan.end, vec![0; more]);
        assert_near(&file, DefectKind::JpegDataExcess, scan.end)?;
    }

    #[test]
    fn a_block_of_too_many_coefficients_is_reported_where_it_is(block in 0_usize..128 * 64) {
        let (file, place) = overrun(block);
        assert_near(&file, DefectKind::JpegBlockOverrun, place)?;
    }

    #[test]
    fn a_wrong_end_of_image_data_is_reported_where_it_is(
        interlaced in any::<bool>(),
        chunk in 500_usize..100_000,
        more in 1_usize..2_000,
    ) {
        let rows = Png::rows(interlaced);
        let pixels = vec![0; rows[rows.len() - 1]];
        let mut png = Png::stored(&pixels, interlaced, chunk);
        let end = png.data.len();
        assert_near(&png.bytes(), DefectKind::PngNoImageDataChecksum, png.place(end - 1))?;
        png.data.extend(adler(&pixels));
        let good = png.bytes();
        let inspection = Inspection::at(Depth::Payload, &good);
        prop_assert!(inspection.defects().is_empty(), "{:?}", inspection);
        png.data[end] ^= 1;
        assert_near(&png.bytes(), DefectKind::PngImageDataChecksum, png.place(end))?;
        png.data[end] ^= 1;
        png.data.extend(vec![7; more]);
        assert_near(&png.bytes(), DefectKind::PngImageDataEnd, png.place(end + 4))?;
        png.data[0] = 0;
        assert_near(&png.bytes(), DefectKind::PngZlibHeader, png.place(0))?;
    }

    #[test]
    fn a_wrong_end_of_gif_codes_is_reported_where_it_is(
        interlaced in any::<bool>(),
        block in 1_usize..256,
        more in 8_usize..200,
    ) {
        let codes = [vec![7; more], vec![257]].concat();
        let (file, place) = gif_with(interlaced, block, 40_000, 0, &codes);
        assert_near(&file, DefectKind::GifImageDataEnd, place)?;
        let (file, _) = gif_with(interlaced, block, 40_000, 0, &[]);
        assert_near(&file, DefectKind::GifImageDataEnd, file.len() - 2)?;
    }

    #[test]
    fn a_wrong_end_of_runs_is_reported_where_it_is(row in 0_usize..99, more in 1_usize..200) {
        let (file, place) = rle_8_with(98, row, &[50, 1, 50, 2, 0, 0], &[0, 1]);
        assert_near(&file, DefectKind::BmpRleOverrun, place)?;
        let rest = [[50, 1].repeat(more), vec![0, 1]].concat();
        let (file, _) = rle_8_with(100, 100, &[], &rest);
        assert_near(&file, DefectKind::BmpRleExcess, file.len() - rest.len())?;
        let (file, _) = rle_8_with(100, 100, &[], &[]);
        assert_near(&file, DefectKind::BmpRleNoEnd, file.len())?;
    }

    #[test]
    fn missing_bytes_of_a_scan_are_reported_where_they_are(
        (mut file, scan, place) in jpeg_and_place(),
    ) {
        file.drain(place..scan.end);
        assert_near(&file, DefectKind::JpegDataShort, place)?;
    }

    #[test]
    fn bits_that_are_no_code_are_reported_where_they_are(
        (mut file, scan, place) in jpeg_and_place(),
    ) {
        // No code consists of ones only (ITU-T T.81, C); all bits of a refined DC are values. As the
        // length of a run of empty blocks, ones cover the rest of a small scan.
        prop_assume!(!scan.refines_dc);
        file.splice(place..place, [0xff, 0].repeat(24));
        let kinds = [DefectKind::JpegHuffmanCode, DefectKind::JpegDataExcess];
        assert_one_near(&file, &kinds, place)?;
    }

    #[test]
    fn an_unexpected_restart_is_reported_where_it_is(
        (mut file, _, place) in jpeg_and_place(),
    ) {
        file.splice(place..place, [0xff, 0xd5]);
        assert_near(&file, DefectKind::JpegRestartOrder, place)?;
    }

    #[test]
    fn damage_of_image_data_is_reported_where_it_is(
        interlaced in any::<bool>(),
        row in any::<Index>(),
        chunk in 500_usize..100_000,
    ) {
        let rows = Png::rows(interlaced);
        let mut pixels = vec![0; rows[rows.len() - 1]];
        let row = rows[row.index(rows.len() - 1)];
        pixels[row] = 9;
        let png = Png::stored(&pixels, interlaced, chunk);
        assert_near(&png.bytes(), DefectKind::PngFilter, png.place_of_pixel(row))?;
        pixels.truncate(row);
        let png = Png::stored(&pixels, interlaced, chunk);
        if row > 0 {
            let end = png.place(png.data.len() - 1);
            assert_near(&png.bytes(), DefectKind::PngShortImageData, end)?;
        }
        let mut png = Png::stored(&vec![0; rows[rows.len() - 1]], interlaced, chunk);
        // The second block is of the reserved kind.
        let block = ZLIB + BLOCK + 0xffff;
        png.data[block] = 7;
        assert_near(&png.bytes(), DefectKind::PngImageData, png.place(block))?;
    }

    /// Rows of noise, of which the first ones have wrong filter types, and blank rows, which
    /// compress to a few bytes.
    #[test]
    fn a_wrong_filter_type_in_compressed_rows_is_reported_where_it_is(
        noise in prop::collection::vec(0_u8..64, 301 * 20),
        row in 0_usize..4,
    ) {
        let rows = Png::rows(false);
        let mut pixels = noise;
        pixels.resize(rows[rows.len() - 1], 0);
        rows[..300].iter().for_each(|row| pixels[*row] = 1);
        rows[row..4].iter().for_each(|row| pixels[*row] = 5);
        let png = Png {
            data: compressed(&pixels),
            interlaced: false,
            chunk: usize::MAX,
        };
        // The rows before it compress alone to about as many bytes, without the checksum.
        let place = compressed(&pixels[..rows[row]]).len().saturating_sub(4);
        assert_near(&png.bytes(), DefectKind::PngFilter, png.place(place))?;
    }

    /// Noise and flat areas alternate, so that equal lengths of rows differ in their compressed
    /// lengths by a hundred times.
    #[test]
    fn a_wrong_filter_type_between_noise_and_flat_rows_is_reported_where_it_is(
        stripes in prop::collection::vec((1_usize..60, prop::sample::select(&[0, 1, 3, 15, 255][..])), 1..30),
        seed in any::<u64>(),
        row in any::<Index>(),
        level in prop::sample::select(&[1, 4, 6, 9][..]),
        interlaced in any::<bool>(),
        chunk in 100_usize..100_000,
    ) {
        let rows = Png::rows(interlaced);
        let mut pixels = striped(&rows, &stripes, seed);
        let row = rows[row.index(rows.len() - 1)];
        pixels[row] = 5;
        let data = compressed_at(level, &pixels);
        let place = read_until(&data, row);
        let png = Png { data, interlaced, chunk };
        assert_near(&png.bytes(), DefectKind::PngFilter, png.place(place))?;
    }

    #[test]
    fn a_meaningless_gif_code_is_reported_where_it_is(
        interlaced in any::<bool>(),
        block in 1_usize..256,
        pixel in 0_usize..40_000,
    ) {
        let (file, place) = gif(interlaced, block, pixel, 511);
        assert_near(&file, DefectKind::GifImageData, place)?;
        // The end code, before the last pixel.
        let (file, place) = gif(interlaced, block, pixel, 257);
        assert_near(&file, DefectKind::GifShortImageData, place)?;
    }

    #[test]
    fn a_wrong_run_is_reported_where_it_is(row in 0_usize..100) {
        let (good, _) = rle_8(row, &[50, 1, 50, 2, 0, 0]);
        let inspection = Inspection::at(Depth::Payload, &good);
        prop_assert!(inspection.defects().is_empty(), "{:?}", inspection);
        let (file, place) = rle_8(row, &[50, 1, 90, 2, 0, 0]);
        assert_near(&file, DefectKind::BmpRleBeyondRow, place)?;
        let (file, place) = rle_8(row, &[0, 2, 200, 0, 0, 0]);
        assert_near(&file, DefectKind::BmpRleOutside, place)?;
    }
}
