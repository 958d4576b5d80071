-- A ledger as version 1 wrote it: one image that waits, one that is decided and not delivered.
CREATE TABLE scope (account TEXT NOT NULL, service TEXT NOT NULL, policy TEXT NOT NULL);
CREATE TABLE scene (name TEXT NOT NULL);
CREATE TABLE tally (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE image (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    url TEXT NOT NULL,
    state INTEGER NOT NULL,
    next_at INTEGER,
    lease INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    expirations INTEGER NOT NULL DEFAULT 0,
    batch INTEGER,
    task INTEGER,
    expires_at INTEGER,
    class TEXT,
    message TEXT,
    facts TEXT,
    outcome TEXT
);
CREATE INDEX image_due ON image (state, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX image_expiry ON image (expires_at, next_at) WHERE expires_at IS NOT NULL;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    images INTEGER NOT NULL,
    request_id TEXT
);
CREATE INDEX batch_sent ON batch (sent_at);
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    image INTEGER,
    batch INTEGER,
    state INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL
);
CREATE TABLE origin (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    image INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    line INTEGER NOT NULL,
    data_id TEXT,
    text TEXT
);
CREATE UNIQUE INDEX source_once ON source (image, origin, line, COALESCE(data_id, ''));
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER NOT NULL,
    image INTEGER NOT NULL
);
CREATE INDEX outbox_image ON outbox (image);
CREATE TABLE quota (operation TEXT PRIMARY KEY, free_at INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO tally VALUES ('lease', 7), ('resubmitted', 3), ('expired', 2);
INSERT INTO scope VALUES ('account', 'green.example.com', '');
INSERT INTO scene VALUES ('ad'), ('porn');
INSERT INTO image (id, key, url, state, next_at) VALUES
    (1, zeroblob(32), 'https://example.com/waits.png', 1, 0);
INSERT INTO image (id, key, url, state, accepted, batch, task, facts, outcome) VALUES
    (2, randomblob(32), 'https://example.com/decided.png', 5, 1, 1, 1, '{}', '{"decision":"pass"}');
INSERT INTO batch VALUES (1, randomblob(16), 1, 0, 1, 'request');
INSERT INTO task VALUES (1, 'img-old', 2, 1, 1, 0);
INSERT INTO origin VALUES (1, 'list.txt');
INSERT INTO source VALUES (1, 1, 1, 1, NULL, NULL), (2, 2, 1, 2, 'mine', NULL);
INSERT INTO outbox VALUES (5, 2, 2);
PRAGMA application_id = 1198681676;
PRAGMA user_version = 1;
