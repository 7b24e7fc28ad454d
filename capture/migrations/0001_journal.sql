-- Texts that repeat live in dictionaries: a search reads each of them once.
CREATE TABLE target (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);

CREATE TABLE exchange (
    id      INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    door    TEXT,
    kind    TEXT,
    topic   INTEGER,          -- word
    store   TEXT,
    at      INTEGER NOT NULL, -- nanoseconds since 1970, as all times here
    took    INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    method  TEXT,
    target  INTEGER NOT NULL, -- target
    host    TEXT,
    proto   TEXT,
    remote  TEXT,
    status  INTEGER NOT NULL,
    err     INTEGER,          -- word
    of      INTEGER,
    via     TEXT,
    attempt INTEGER,
    verdict TEXT,
    hint    INTEGER,          -- word
    marks   TEXT,             -- one a line
    detail  BLOB,
    sealed  BLOB,             -- the target with its secrets, encrypted
    kept    INTEGER NOT NULL  -- bytes this exchange counts for
);

-- The row ID ends every index, so each gives one value's exchanges newest first.
CREATE INDEX exchange_target ON exchange (target);
CREATE INDEX exchange_kind ON exchange (kind);
CREATE INDEX exchange_class ON exchange (status / 100);
CREATE INDEX exchange_store ON exchange (store) WHERE store IS NOT NULL;
CREATE INDEX exchange_topic ON exchange (topic) WHERE topic IS NOT NULL;
CREATE INDEX exchange_hint ON exchange (hint) WHERE hint IS NOT NULL;
CREATE INDEX exchange_err ON exchange (err) WHERE err IS NOT NULL;
CREATE INDEX exchange_of ON exchange (of) WHERE of IS NOT NULL;

-- Headers and bodies, apart from what is searched.
CREATE TABLE message (
    id       INTEGER PRIMARY KEY, -- exchange
    head     BLOB NOT NULL,       -- headers, trailers, sizes and hashes of both halves
    request  BLOB,
    response BLOB
);

CREATE TABLE job (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    exchange INTEGER NOT NULL,
    key      TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    last     TEXT
);
CREATE INDEX job_exchange ON job (exchange);

-- The latest changes of stored exchanges, for watchers in other processes.
CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, exchange INTEGER NOT NULL);

CREATE TABLE stat (id INTEGER PRIMARY KEY CHECK (id = 0), exchanges INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO stat VALUES (0, 0, 0);
