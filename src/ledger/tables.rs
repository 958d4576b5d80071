//! The columns that every store has, so that rows can be copied between stores.

use super::{Reply, Scope};

/// The name of the counter with the fingerprint of a ledger that is being copied.
pub(super) const COPYING: &str = "copying";

/// The name of the counter with the fingerprint of a ledger that was copied.
pub(super) const COPIED: &str = "copied";

pub(super) const UNFINISHED: &str =
    "a copy into it is not complete: repeat the copy, which continues where it ended";

pub(super) const UNBOUND: &str = "no run has used it yet: the first one binds it to an account";

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The type of a column. Stores represent it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number, and PostgreSQL's type of it.
    Number(&'static str),
    Flag,
    Text,
    Bytes,
    /// Text of any origin, and paths: bytes in PostgreSQL; text in SQLite, or bytes if it is not
    /// UTF-8.
    AnyText,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// A table whose first column is its primary key `id`.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// Expressions over all rows that change with every change of the table.
    pub(super) fingerprint: &'static [&'static str],
}

impl Table {
    /// Returns the names of the columns, separated by commas.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        names.join(", ")
    }
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

const BIG: Kind = Kind::Number("bigint");
const INTEGER: Kind = Kind::Number("integer");
const SMALL: Kind = Kind::Number("smallint");

/// The tables that are copied row by row. The identity of PostgreSQL's workers is not: none of them
/// uses the copy.
// The moduli keep the sums within 64 bits, because SQLite fails if a `sum` of integers overflows.
// The factor of `state` makes a difference if two rows exchange their states.
pub(super) static TABLES: [Table; 7] = [
    Table {
        name: "origin",
        columns: &[
            column("id", BIG),
            column("name", Kind::AnyText),
            column("is_read", Kind::Flag),
        ],
        fingerprint: &["count(CASE WHEN is_read THEN 1 END)"],
    },
    Table {
        name: "image",
        columns: &[
            column("id", BIG),
            column("key", Kind::Bytes),
            column("url", Kind::AnyText),
            column("is_file", Kind::Flag),
            column("host", Kind::Text),
            column("state", SMALL),
            column("next_at", BIG),
            column("lease", BIG),
            column("attempts", INTEGER),
            column("accepted", Kind::Flag),
            column("expirations", INTEGER),
            column("batch", BIG),
            column("task", BIG),
            column("expires_at", BIG),
            column("billed", INTEGER),
            column("by_upload", Kind::Flag),
            column("class", Kind::Text),
            column("message", Kind::Text),
            column("facts", Kind::Text),
            column("outcome", Kind::Text),
        ],
        fingerprint: &[
            "sum(state * (id % 1009))",
            "sum(next_at % 1000003)",
            "sum(lease % 1000003)",
            "sum(attempts)",
            "sum(task % 1000003)",
            "sum(length(outcome))",
        ],
    },
    Table {
        name: "batch",
        columns: &[
            column("id", BIG),
            column("uuid", Kind::Bytes),
            column("state", SMALL),
            column("sent_at", BIG),
            column("images", INTEGER),
            column("request_id", Kind::Text),
        ],
        fingerprint: &["sum(state * (id % 1009))"],
    },
    Table {
        name: "task",
        columns: &[
            column("id", BIG),
            column("name", Kind::Text),
            column("image", BIG),
            column("batch", BIG),
            column("state", SMALL),
            column("submitted_at", BIG),
            column("billed", INTEGER),
        ],
        fingerprint: &["sum(state * (id % 1009))"],
    },
    Table {
        name: "source",
        columns: &[
            column("id", BIG),
            column("image", BIG),
            column("origin", BIG),
            column("line", BIG),
            column("data_id", Kind::AnyText),
            column("text", Kind::AnyText),
        ],
        fingerprint: &[],
    },
    Table {
        name: "outbox",
        columns: &[
            column("id", BIG),
            column("source", BIG),
            column("image", BIG),
            column("next_at", BIG),
            column("attempts", INTEGER),
        ],
        fingerprint: &[
            "sum(source % 1000003)",
            "sum(next_at % 1000003)",
            "sum(attempts)",
        ],
    },
    Table {
        name: "scanned_url",
        columns: &[
            column("id", BIG),
            column("key", Kind::Bytes),
            column("source", BIG),
            column("scanned_at", BIG),
        ],
        fingerprint: &["sum(scanned_at % 1000003)"],
    },
];

/// The numbers that are in no table of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// The last lease.
    pub(super) lease: i64,
    pub(super) resubmitted: i64,
    pub(super) expired: i64,
}

/// The state of a store.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The version of the tables, 0 if there are none.
    pub(super) version: u32,
    /// The version that this program writes.
    pub(super) current: u32,
    /// `None` if the ledger is not bound to a scope.
    pub(super) scope: Option<Scope>,
    /// The fingerprint of the ledger that is being copied into this one.
    pub(super) copying: Option<i64>,
    /// The fingerprint of the ledger that was copied into this one.
    pub(super) copied: Option<i64>,
    /// The active users that the store knows.
    pub(super) users: usize,
}

/// The rows of one read, with a value for each column.
pub(super) type Records = Vec<Vec<Value>>;

/// A store, table by table.
pub(super) trait Tables: std::fmt::Debug + Send + Sync {
    /// Returns the location for messages.
    fn place(&self) -> &str;

    /// Returns whether no other maintenance of the store runs, and excludes it from now on if the
    /// store can.
    fn lock(&self) -> Reply<'_, bool>;

    fn head(&self) -> Reply<'_, Head>;

    /// Creates or upgrades the tables. Returns the version before, 0 if there were none.
    fn upgrade(&self) -> Reply<'_, u32>;

    /// Returns the columns of a query with one row of numbers.
    fn numbers(&self, sql: String) -> Reply<'_, Vec<i64>>;

    /// Returns what the store itself finds damaged.
    fn damage(&self) -> Reply<'_, Vec<String>>;

    fn counters(&self) -> Reply<'_, Counters>;

    /// Returns up to `limit` rows after the id `after`, in the order of their ids.
    fn read(&self, table: &'static Table, after: i64, limit: usize) -> Reply<'_, Records>;

    fn write(&self, table: &'static Table, records: Records) -> Reply<'_, ()>;

    /// Creates missing tables and records that a ledger with this fingerprint is being copied into
    /// this one, in one transaction.
    fn begin_copy(&self, fingerprint: i64) -> Reply<'_, ()>;

    /// Ends the copy: binds the ledger to its scope, in one transaction.
    fn end_copy(&self, scope: Scope, counters: Counters, fingerprint: i64) -> Reply<'_, ()>;
}
