//! What the command says of itself and of wrong arguments.

use insta::assert_snapshot;

use super::bench::Bench;

#[test]
fn a_command_is_asked_for() {
    let run = Bench::new("messages-none").run(&[]);
    assert_eq!(run.code, Some(2));
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("Usage: greenlight <COMMAND>"), "{run}");
}

#[test]
fn the_version_is_told() {
    let run = Bench::new("messages-version").run(&["--version"]);
    assert_eq!(
        run.stdout,
        concat!("greenlight ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(run.code, Some(0));
}

#[test]
fn help_names_every_option_with_its_default() {
    let run = Bench::new("messages-help").run(&["check", "--help"]);
    assert_snapshot!(run, @"
    exit: 0
    ----- stdout -----
    Checks which images the moderation service can scan; needs no account

    Usage: greenlight check [OPTIONS] [SOURCE]...

    Arguments:
      [SOURCE]...  Files, folders (every regular file in them, recursively; hidden ones and links are
                   skipped) and http or https URLs

    Options:
          --from <FILE|->                   Read further sources from a list, or from standard input for
                                            -: text with one per line (blank lines and lines that begin
                                            with # are skipped), .csv, .tsv, .json, .jsonl, .ndjson or
                                            .parquet
          --files-under <DIR>               Allow lines of the list to name files and folders below DIR,
                                            following links; by default they name http and https URLs
                                            only; may be repeated
          --list-format <FORMAT>            The list's format; jsonl reads JSON lines and arrays
                                            [default: by the extension, else text] [possible values:
                                            text, csv, tsv, jsonl, parquet]
          --delimiter <CHAR>                The character that separates fields in CSV or TSV, or tab
                                            [default: found from the first line, a tab in TSV]
          --rows-per-byte <N>               The most rows that a .parquet list may have for each of its
                                            bytes; one that declares more is refused [default: 16]
          --column <NAME>                   The list's column that holds the sources [default: `url`,
                                            `image_url`, `source` or `link`, in any case; or the only
                                            one]
          --data-id-column <NAME>           The list's column that holds a data id of your own for each
                                            source, which scan prints: letters, digits, _, - and ., at
                                            most 128 (check validates it and prints none)
          --depth <DEPTH>                   How far files are read: the header for format and
                                            dimensions; the structure to the end, which finds truncation
                                            and corruption and counts frames; the coded pixels too
                                            (payload); a decoder as a second opinion, which holds the
                                            whole file (decode) [default: structure] [possible values:
                                            header, structure, payload, decode]
          --probe <MODE>                    How URLs are read: the whole file, or only as far as format,
                                            dimensions and size take (an accepted URL is then not known
                                            to download in time) [default: full] [possible values: full,
                                            header]
          --format <FORMAT>                 Output format: a table, one JSON object per line, or CSV
                                            with a header line [default: human] [possible values: human,
                                            jsonl, csv]
          --csv-raw                         Write cells of CSV unchanged; by default one that begins
                                            with =, +, -, @, a tab or a carriage return is prefixed with
                                            ', because spreadsheets would run it as a formula
          --concurrency <N>                 Images that are checked concurrently: at most 8 from one
                                            host, and at most one file per processor [default: 64]
          --for <SCAN>                      The scan that the images are meant for: async takes up to 20
                                            MB, sync up to 5 MB [default: async] [possible values:
                                            async, sync]
          --requirements <FILE>             Read the requirements from a JSON file, see
                                            docs/requirements.md
          --timeout <TIME>                  How long a URL may take in all, from resolving the name to
                                            the last byte: 200ms, 3s [default: 3s]
          --max-bytes <SIZE>                The largest file: 20MB, 5MiB, or a number of bytes [default:
                                            20MiB, with --for sync 5MiB]
          --min-width <N>                   The smallest width, in pixels [default: 256]
          --min-height <N>                  The smallest height, in pixels [default: 256]
          --max-side <N>                    The largest width and height, in pixels [default: 30000]
          --max-pixels <N>                  The largest product of width and height [default: 250000000,
                                            for GIF 4194304]
          --allow-format <FORMAT>           Allow a format in addition; may be repeated [possible
                                            values: png, jpeg, gif, bmp, webp]
          --strict                          Make every warning a rejection
          --enforce <CODE=reject|warn|off>  Reject, warn of or ignore a violation code or kind of
                                            defect: image/type-mismatch=reject, png/ancillary-crc=off;
                                            may be repeated
          --allow-address <CIDR[:PORT]>     Lets URLs lead to addresses that are not public, such as
                                            10.0.0.0/8 or 127.0.0.1/32:8080 (that port alone); may be
                                            repeated
          --deny-address <CIDR[:PORT]>      Keeps URLs from leading to these addresses, whatever else is
                                            allowed; may be repeated
          --max-redirects <N>               How many redirects of a URL are followed [default: 5]
          --user-agent <TEXT>               The User-Agent header of requests for URLs [default:
                                            greenlight/ and its version]
          --nat64-prefix <CIDR>             Judges addresses in this NAT64 prefix by the IPv4 address
                                            that they embed; may be repeated
          --header <[HOST=]NAME: VALUE>     Adds a header to the requests for URLs, or to those for one
                                            host, such as a Referer for servers that forbid hotlinks
                                            (the moderation service sends none of these); may be
                                            repeated
      -h, --help                            Print help

    Examples:
      greenlight check photo.jpg uploads/ https://example.com/cat.png
      greenlight check --from urls.txt --probe header --format jsonl > verdicts.jsonl
      greenlight check uploads/ --for sync --format csv
      greenlight check uploads/ --requirements site.json --strict --enforce image/type-mismatch=warn
      greenlight check http://10.0.0.7:8080/a.png --allow-address 10.0.0.7/32:8080

    Exit codes: 0 all accepted, 1 some rejected, 2 could not decide or failed, 130 interrupted

    ----- stderr -----
    ");
}

#[test]
fn check_without_sources_says_how_to_name_them() {
    let run = Bench::new("messages-sources").run(&["check"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no sources are given
    hint: name files, folders or URLs, or a list of them with --from FILE
    ");
}

#[test]
fn a_list_that_is_not_there_is_an_error() {
    let bench = Bench::new("messages-list");
    bench.write("folder/file", "");
    assert_snapshot!(bench.run(&["check", "--from", "no.txt"]), @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `no.txt`: No such file or directory
    hint: --from takes a list of sources: text with one per line, .csv, .tsv, .json, .jsonl, .ndjson or .parquet, or - for standard input
    ");
    assert_snapshot!(bench.run(&["check", "--from", "folder"]), @"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot read the list `folder`: is a directory
    hint: --from takes a list of sources: text with one per line, .csv, .tsv, .json, .jsonl, .ndjson or .parquet, or - for standard input
    ");
}

#[test]
fn values_out_of_range_are_refused_before_anything_is_checked() {
    let bench = Bench::new("messages-values");
    for (option, value) in [
        ("--timeout", "3"),
        ("--timeout", "0s"),
        ("--timeout", "soon"),
        ("--concurrency", "0"),
        ("--concurrency", "1025"),
        ("--for", "both"),
        ("--depth", "deep"),
        ("--probe", "some"),
        ("--format", "xml"),
        ("--max-bytes", "20MX"),
        ("--max-bytes", "20.5MB"),
        ("--min-width", "4294967296"),
        ("--min-height", "x"),
        ("--allow-format", "tiff"),
        ("--enforce", "image/corrupt"),
        ("--enforce", "image/corrupt=never"),
        ("--enforce", "image/corupt=off"),
        ("--requirements", "no.json"),
        ("--allow-address", "everywhere"),
        ("--allow-address", "10.0.0.0/33"),
        ("--allow-address", "10.0.0.0/8:http"),
        ("--deny-address", "10.0.0.1/8"),
        ("--max-redirects", "21"),
        ("--header", "no colon"),
    ] {
        let run = bench.run(&["check", "no.png", option, value]);
        assert_eq!(run.code, Some(2), "{option} {value}: {run}");
        assert_eq!(run.stdout, "", "{option} {value}");
        assert!(run.stderr.starts_with("error: "), "{option} {value}: {run}");
        assert!(run.stderr.contains(option), "{option} {value}: {run}");
        assert!(run.stderr.contains(value), "{option} {value}: {run}");
    }
}
