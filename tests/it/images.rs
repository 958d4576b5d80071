//! Generated images: as small as their format allows, or of a given length.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

/// A gray PNG of `width` x `height`, with a private chunk of `filler` bytes between its header and
/// its pixels.
pub(crate) fn png(width: u32, height: u32, filler: usize) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &header);
    if filler > 0 {
        chunk(&mut file, *b"fiLl", &vec![0x55; filler]);
    }
    let row = usize::try_from(width).unwrap() + 1;
    let pixels = vec![0; row * usize::try_from(height).unwrap()];
    chunk(&mut file, *b"IDAT", &stored(&pixels));
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let crc = crc32fast::hash(&file[start..]);
    file.extend(crc.to_be_bytes());
}

/// A zlib stream (RFC 1950) of stored blocks.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(len.to_le_bytes());
        stream.extend((!len).to_le_bytes());
        stream.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend(((b << 16) | a).to_be_bytes());
    stream
}

/// A gray baseline JPEG of 256x256 whose comments (after the frame header) are `filler` bytes.
pub(crate) fn jpeg(filler: usize) -> Vec<u8> {
    let mut file = b"\xff\xd8".to_vec();
    let mut table = vec![0];
    table.extend([1; 64]);
    segment(&mut file, 0xdb, &table);
    segment(&mut file, 0xc0, &[8, 1, 0, 1, 0, 1, 1, 0x11, 0]);
    let mut left = filler;
    while left > 0 {
        let len = left.min(60_000);
        segment(&mut file, 0xfe, &vec![b'x'; len]);
        left -= len;
    }
    for class in [0x00, 0x10] {
        // One code of one bit: "no difference" for DC, "end of block" for AC.
        let mut table = vec![class, 1];
        table.extend([0; 16]);
        segment(&mut file, 0xc4, &table);
    }
    segment(&mut file, 0xda, &[1, 1, 0, 0, 63, 0]);
    // 1 024 blocks of two bits each.
    file.extend([0; 256]);
    file.extend(b"\xff\xd9");
    file
}

fn segment(file: &mut Vec<u8>, marker: u8, data: &[u8]) {
    file.extend([0xff, marker]);
    file.extend(u16::try_from(data.len() + 2).unwrap().to_be_bytes());
    file.extend(data);
}

/// The beginning of a GIF, up to the first pixels.
pub(crate) fn gif(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut file = b"GIF89a".to_vec();
    file.extend(&size);
    file.extend([0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]);
    file.extend([0x2c, 0, 0, 0, 0]);
    file.extend(&size);
    file.extend([0, 2, 3, 0x04, 0x12, 0x05, 0, 0x3b]);
    file
}
