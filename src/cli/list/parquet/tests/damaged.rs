//! Files that are cut, changed, or declare what is not there.

use super::*;

#[test]
fn what_is_no_whole_parquet_file_says_so() {
    let trouble = |bytes: &[u8]| {
        let trouble = open(bytes, &Columns::default()).err();
        trouble.expect("it does not open").why
    };
    let file = write(&rows_of(20), 20, properties());
    assert!(trouble(b"").contains("too short"));
    assert!(trouble(b"url,id\na,1\n").contains("not a Parquet file"));
    assert!(trouble(&file[..file.len() - 1]).contains("not a Parquet file, or not a whole one"));
    let (_, tail) = file.split_at(file.len() - 8);
    assert!(trouble(tail).contains("its metadata is longer than the file"));
    assert!(trouble(b"\xff\xff\xff\x7fPAR1").contains("at most 16777216 are read"));
    assert!(trouble(b"\0\0\0\0PARE").contains("encrypted"));
}

/// Reads what may be damaged: row numbers ascend, and no more rows come than there are.
fn read_damaged(bytes: &[u8]) {
    let Ok(mut rows) = open(bytes, &columns("", "id")) else {
        return;
    };
    let mut last = 0;
    for count in 0_u32.. {
        let Some(row) = rows.next() else { return };
        assert!(row.number > last || matches!(row.found, Found::Broken { .. }));
        last = row.number;
        // A damaged count may say more rows than there are, and pages may repeat one value.
        if count > 5_000 {
            return;
        }
    }
}

#[test]
fn a_file_cut_anywhere_does_no_harm() {
    let file = write(&rows_of(60), 25, properties());
    for length in 0..file.len() {
        read_damaged(&file[..length]);
        // With its metadata, and a piece of its pages missing.
        let metadata = u32::from_le_bytes(file[file.len() - 8..][..4].try_into().unwrap());
        let start = file.len() - 8 - usize::try_from(metadata).unwrap();
        if length < start {
            read_damaged(&[&file[..length], &file[start..]].concat());
        }
    }
}

#[test]
fn a_file_with_a_bit_turned_anywhere_does_no_harm() {
    for packing in [
        Compression::UNCOMPRESSED,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let file = write(&rows_of(24), 12, properties().set_compression(packing));
        for at in 0..file.len() {
            let mut turned = file.clone();
            turned[at] ^= 1 << (at * 5 % 8);
            read_damaged(&turned);
        }
    }
}

#[test]
fn a_page_s_rows_are_told_when_it_is_damaged_and_the_next_group_is_read() {
    let rows = rows_of(90);
    let properties = properties().set_compression(Compression::SNAPPY);
    let mut file = write(&rows, 30, properties);
    let metadata = open(&file, &Columns::default()).unwrap().metadata;
    let (start, length) = metadata.row_group(1).column(0).byte_range();
    let (start, length) = (
        usize::try_from(start).unwrap(),
        usize::try_from(length).unwrap(),
    );
    file[start..start + length].fill(0xA5);
    let read = read(&file, &columns("", "id"));
    let whole = wanted(&rows);
    assert_eq!(read[..30], whole[..30]);
    assert_eq!(read[30].number, 31);
    let Found::Broken { why, .. } = &read[30].found else {
        panic!("{:?}", read[30]);
    };
    assert!(why.starts_with("up to row 60 cannot be read: "), "{why}");
    assert_eq!(read[31..], whole[60..]);
}

/// A number of any length, as the compact protocol writes it.
fn number(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let bits = u8::try_from(rest & 0x7F).unwrap();
        rest >>= 7;
        if rest == 0 {
            bytes.push(bits);
            return bytes;
        }
        bytes.push(bits | 0x80);
    }
}

/// A structure of signed numbers by their ids.
fn structure(fields: &[(u8, i64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = 0;
    for (id, signed) in fields {
        bytes.push(((id - last) << 4) | 5);
        last = *id;
        bytes.extend(number(((signed << 1) ^ (signed >> 63)).cast_unsigned()));
    }
    bytes.push(0);
    bytes
}

/// Metadata whose schema has elements that claim so many children.
fn metadata(children: &[i64]) -> Vec<u8> {
    let mut bytes = vec![0x15, 0x04, 0x19, 0xFC];
    bytes.extend(number(u64::try_from(children.len()).unwrap()));
    for claimed in children {
        bytes.extend(structure(&[(5, *claimed)]));
    }
    bytes.push(0);
    bytes
}

#[test]
fn a_schema_must_be_a_tree_of_what_is_there() {
    assert!(check_metadata(&metadata(&[2, 0, 0])).is_ok());
    assert!(check_metadata(&metadata(&[2, 1, 0, 0])).is_ok());
    for children in [
        vec![i64::from(i32::MAX)],
        vec![2, 0],
        vec![1, 0, 0],
        vec![-1],
        vec![],
        vec![1; 100_000],
    ] {
        assert!(check_metadata(&metadata(&children)).is_err());
    }
    assert!(check_metadata(b"").is_err());
    // An id twice: the library would take the second.
    assert!(check_metadata(&[0x15, 0x04, 0x05, 0x02, 0x04, 0]).is_err());
}

#[test]
fn what_a_page_declares_is_bounded() {
    let head = |compressed, uncompressed| {
        page_head(&structure(&[(1, 0), (2, uncompressed), (3, compressed)]))
    };
    let found = head(100, 1_000).expect("it is one");
    assert_eq!((found.compressed, found.uncompressed), (100, 1_000));
    assert!(found.check().is_ok());
    assert!(head(100, 1 << 30).expect("it is one").check().is_err());
    assert!(head(1 << 30, 100).expect("it is one").check().is_err());
    assert!(head(-1, 100).is_err());
    assert!(page_head(&structure(&[(1, 0), (2, 5)])).is_err());
}

#[test]
fn a_gzip_page_must_not_decompress_to_more_than_it_declares() {
    let rows: Vec<Values> = vec![(Some("x".repeat(60_000)), None); 20];
    let properties = properties()
        .set_dictionary_enabled(false)
        .set_compression(Compression::GZIP(GzipLevel::default()));
    let mut file = write(&rows, 20, properties);
    assert_eq!(read(&file, &columns("url", "")).len(), 20);
    let metadata = open(&file, &Columns::default()).unwrap().metadata;
    let (start, _) = metadata.row_group(0).column(0).byte_range();
    let start = usize::try_from(start).unwrap();
    // The header's second field, of three bytes: it declares 1 200 000 and some.
    assert_eq!(file[start..start + 3], [0x15, 0x00, 0x15]);
    let declared = page_head(&file[start..start + 200]).unwrap().uncompressed;
    assert!(declared > 1 << 20);
    file[start + 3] = 0x80 | 0x10;
    file[start + 4] = 0x80;
    file[start + 5] = 0x80;
    file[start + 6] = 0;
    let length = page_head(&file[start..start + 200]);
    assert!(length.is_ok_and(|head| head.uncompressed == 8));
    let read = read(&file, &columns("url", ""));
    let Found::Broken { why, .. } = &read[0].found else {
        panic!("it was read");
    };
    assert!(why.contains("more than the 8 bytes it declares"), "{why}");
}
