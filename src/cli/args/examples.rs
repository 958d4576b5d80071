//! The ends of the help texts. Tests run the examples as they are written.

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    every image was accepted (scan: passed)
  1    some were rejected (scan: or did not pass)
  2    something could not be decided, or failed
  130  interrupted";

pub(super) const CHECK: &str = "\
Examples:
  greenlight check photo.jpg uploads/ https://example.com/cat.png
  greenlight check --from urls.txt --format jsonl > verdicts.jsonl
  greenlight check uploads/ --for sync --strict --only rejected,inconclusive";

pub(super) const CHECK_LONG: &str = "\
Examples:
  greenlight check photo.jpg uploads/ https://example.com/cat.png
  greenlight check --from urls.txt --probe header --format jsonl > verdicts.jsonl
  greenlight check uploads/ --for sync --strict --only rejected,inconclusive
  greenlight check uploads/ --requirements site.json --enforce image/type-mismatch=warn
  greenlight check http://10.0.0.7:8080/a.png --allow-address 10.0.0.7/32:8080

Exit codes: 0 all accepted, 1 some rejected, 2 could not decide or failed, 130 interrupted";

pub(super) const SCAN: &str = "\
Examples:
  greenlight scan --sandbox uploads/
  greenlight scan --region ap-southeast-1 --from urls.txt --format jsonl";

pub(super) const SCAN_LONG: &str = "\
Examples:
  greenlight scan --sandbox uploads/
  greenlight scan --region ap-southeast-1 https://example.com/cat.png
  greenlight scan --region cn-shanghai --scenes porn --from urls.txt --format jsonl > out.jsonl

A ledger records what was done, by default greenlight.db. An image is submitted once, however often it \
is listed, scanned or interrupted; `greenlight resume` continues a scan, and `greenlight export` prints \
everything again. Ctrl-C finishes the requests that were sent; a second one ends immediately, and \
images without a recorded answer are submitted again after --settle: they may be billed twice.

Every scene of every submitted image is billed. Local files that pass are uploaded to the service's \
own store first; whether that is billed is not documented. The key is read from the environment \
unless --credentials names other sources:
  ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET
  ALIBABA_CLOUD_SECURITY_TOKEN (for temporary credentials)

Exit codes: 0 all passed, 1 some rejected or not passed, 2 could not decide or failed, \
130 interrupted; of the sources that this run prints";

pub(super) const RESUME: &str = "\
Examples:
  greenlight resume --region ap-southeast-1
  greenlight resume --ledger a.db --region cn-shanghai --format jsonl >> a.jsonl";

pub(super) const RESUME_LONG: &str = "\
Examples:
  greenlight resume --region ap-southeast-1
  greenlight resume --ledger a.db --region cn-shanghai --format jsonl >> a.jsonl

Pass the options of the scan, without the sources. It prints the sources that no run printed \
before, in the order of the input.

Exit codes: those of scan, of the sources that this run prints";

pub(super) const WORK: &str = "\
Examples:
  greenlight work --ledger postgres://me@db/images --region cn-beijing";

pub(super) const WORK_LONG: &str = "\
Examples:
  greenlight work --ledger postgres://me@db/images --region cn-beijing

Any number of processes on any number of machines may run it. `greenlight scan` with the same ledger \
reads the list and prints the outcomes. SIGTERM or Ctrl-C finishes what was sent and releases the rest.

Exit codes: 0 interrupted, or nothing left to do with --until-done; 2 failed";

pub(super) const STATUS: &str = "\
Examples:
  greenlight status
  greenlight status --ledger urls.db --format jsonl

It may run during a scan, and needs no key.";

pub(super) const RETRY: &str = "\
Examples:
  greenlight retry
  greenlight retry --class download/too-slow,submit/592 --ledger urls.db

Nothing is sent until the next run with this ledger, for example `greenlight resume`. What was submitted before may be
billed again.";

pub(super) const DEAD: &str = "\
Examples:
  greenlight dead
  greenlight dead --ledger urls.db --format jsonl";

pub(super) const EXPORT: &str = "\
Examples:
  greenlight export > outcomes.jsonl
  greenlight export --ledger urls.db --format csv --output outcomes.csv
  greenlight export --format parquet --output outcomes.parquet

The fields are those of scan. It may run during a scan, and needs no key; the field `error` names the \
state of an image that is not done.";

pub(super) const PLAN: &str = "\
Examples:
  greenlight plan --from urls.txt --price 1.80
  greenlight plan uploads/ --scenes porn,ad --probe header --format jsonl

Nothing is sent or kept.";

pub(super) const RESULTS: &str = "\
Examples:
  greenlight results img5T2MSg8PNJQZKZX2mTiuD-1wJXs9 --region ap-southeast-1

It needs the region of the scan and the key in the environment: ALIBABA_CLOUD_ACCESS_KEY_ID and \
ALIBABA_CLOUD_ACCESS_KEY_SECRET. The service keeps results for an hour.";

pub(super) const REPORT: &str = "\
Examples:
  greenlight check photos --format jsonl | greenlight report --html page.html
  greenlight report --html report.html --from outcomes.jsonl --thumbnails
  greenlight report --html report.html --ledger greenlight.db

The page needs no server and loads nothing but the images, and those only with --thumbnails.";

pub(super) const SANDBOX: &str = "\
Examples:
  greenlight sandbox
  greenlight sandbox --listen 127.0.0.1:8080 --serve uploads/ --polls 2

Images whose name contains `porn` are blocked, `sexy` are for review, others pass.";

#[cfg(feature = "serve")]
pub(super) const SERVE: &str = "\
Examples:
  greenlight serve
  greenlight serve --listen 0.0.0.0:8088 --token-file tokens
  greenlight serve --sandbox --on-outage deny

Its routes are described at / and /openapi.json. SIGTERM ends it after the requests in progress.";

pub(super) const CONFIG: &str = "\
Examples:
  greenlight config
  greenlight config --config site.toml --format jsonl

A file greenlight.toml has options by their names, for all commands or in a table for one:

  region = \"ap-southeast-1\"
  allow-format = [\"webp\"]

  [scan]
  rate = 20

The command line overrides the environment (GREENLIGHT_REGION), which overrides the file, which \
overrides the default. Relative paths are relative to the file. Secrets are not read from it.";

pub(super) const LEDGER: &str = "\
Examples:
  greenlight ledger init postgres://me@db.example.com/images
  greenlight ledger check greenlight.db
  greenlight ledger copy greenlight.db postgres://me@db.example.com/images";

pub(super) const LEDGER_INIT: &str = "\
Examples:
  greenlight ledger init postgres://owner@db.example.com/images

It needs no key. For PostgreSQL it needs the right to create a schema in the database, or tables in \
the schema; workers then need no such right. `greenlight scan` also creates a ledger.";

pub(super) const LEDGER_UPGRADE: &str = "\
Examples:
  greenlight ledger upgrade postgres://owner@db.example.com/images

A file is also upgraded when a run opens it. A database is not, because workers of the older version \
may be using it: stop them first.";

pub(super) const LEDGER_CHECK: &str = "\
Examples:
  greenlight ledger check greenlight.db

Exit codes: 0 consistent; 2 inconsistent, or failed";

pub(super) const LEDGER_COPY: &str = "\
Examples:
  greenlight ledger copy greenlight.db postgres://owner@db.example.com/images
  greenlight ledger copy postgres://owner@db.example.com/images greenlight.db

FROM must not be in use, and TO must not contain a ledger. If it is interrupted or killed, the same \
command continues. The copy has the same sources, states, task ids, outcomes and acknowledgments, so \
scanning the same list with it costs nothing.

Exit codes: 0 complete, 2 failed, 130 interrupted";

pub(super) const COMPLETIONS: &str = "\
Examples:
  greenlight completions bash > greenlight.bash";

pub(super) const MAN: &str = "\
Examples:
  greenlight man man1";

pub(super) const DOCTOR: &str = "\
Examples:
  greenlight doctor --region ap-southeast-1
  greenlight doctor --sandbox

It makes one call that is free of charge: it asks for the result of a task that does not exist.

Exit codes: 0 success, 2 something failed";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Arguments;

    /// Those that cannot be run in a test, for other hosts, are understood at least.
    #[test]
    fn every_example_is_understood() {
        let texts = [
            CHECK,
            CHECK_LONG,
            SCAN,
            SCAN_LONG,
            RESUME,
            RESUME_LONG,
            WORK,
            WORK_LONG,
            STATUS,
            LEDGER,
            LEDGER_INIT,
            LEDGER_UPGRADE,
            LEDGER_CHECK,
            LEDGER_COPY,
            RETRY,
            DEAD,
            EXPORT,
            PLAN,
            RESULTS,
            REPORT,
            SANDBOX,
            #[cfg(feature = "serve")]
            SERVE,
            CONFIG,
            COMPLETIONS,
            MAN,
            DOCTOR,
        ];
        let lines = texts.iter().flat_map(|text| text.lines());
        let examples = lines.filter_map(|line| line.strip_prefix("  greenlight "));
        let commands = examples.flat_map(|line| line.split(" | "));
        let mut count = 0;
        for line in commands {
            let words = line.split(' ').take_while(|word| !word.starts_with('>'));
            let words: Vec<_> = words.skip_while(|word| *word == "greenlight").collect();
            // Examples name a file of requirements that is not there.
            let words = words
                .into_iter()
                .filter(|word| !["--requirements", "site.json"].contains(word));
            let words = std::iter::once("greenlight").chain(words);
            let parsed = Arguments::command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            count += 1;
        }
        assert!(count > 30, "{count} examples");
    }
}
