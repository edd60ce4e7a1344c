//! The tables of events.
//!
//! `position` is the order of delivery. In SQLite it is the row's number, because one writer commits in that order. In
//! PostgreSQL a row is written without one and the sequencer gives it when the row is visible: a transaction that commits
//! late is never passed over, a long one holds nobody up, and a dump and restore changes nothing, which transaction ids
//! and snapshots cannot say of themselves.

use aiva_store::migrate::{MigrationSet, Phase, Step};

/// To be given to `aiva_store::migrate`.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    owner: "events",
    steps: &[Step { version: 1, name: "outbox", phase: Phase::Expand, sqlite: SQLITE_1, postgres: POSTGRES_1 }],
};

const SQLITE_1: &str = "
CREATE TABLE event_outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    time INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    schema_id INTEGER NOT NULL,
    traceparent TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX event_outbox_subject ON event_outbox (subject, position);
CREATE TABLE event_consumers (
    consumer TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE event_subjects (
    consumer TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    done INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    first_failed_at INTEGER,
    PRIMARY KEY (consumer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_subjects_due ON event_subjects (consumer, state, due_at);
CREATE TABLE event_dead_letters (
    id TEXT PRIMARY KEY,
    consumer TEXT NOT NULL,
    subject TEXT NOT NULL,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_failed_at INTEGER NOT NULL,
    last_failed_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (consumer, position)
) STRICT;
CREATE INDEX event_dead_letters_subject ON event_dead_letters (consumer, subject, position);
CREATE TABLE event_inbox (
    consumer TEXT NOT NULL,
    event_id TEXT NOT NULL,
    claimed_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, event_id)
) STRICT, WITHOUT ROWID;
";

const POSTGRES_1: &str = "
CREATE TABLE event_outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position BIGINT UNIQUE,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    time BIGINT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    schema_id BIGINT NOT NULL,
    traceparent TEXT NOT NULL,
    data BYTEA NOT NULL
);
CREATE INDEX event_outbox_subject ON event_outbox (subject, position);
CREATE INDEX event_outbox_unplaced ON event_outbox (seq) WHERE position IS NULL;
CREATE TABLE event_sequencer (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    last BIGINT NOT NULL
);
INSERT INTO event_sequencer (last) VALUES (0);
CREATE TABLE event_consumers (
    consumer TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);
CREATE TABLE event_subjects (
    consumer TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    done BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    first_failed_at BIGINT,
    PRIMARY KEY (consumer, subject)
);
CREATE INDEX event_subjects_due ON event_subjects (consumer, state, due_at);
CREATE TABLE event_dead_letters (
    id TEXT PRIMARY KEY,
    consumer TEXT NOT NULL,
    subject TEXT NOT NULL,
    position BIGINT NOT NULL,
    reason TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    first_failed_at BIGINT NOT NULL,
    last_failed_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (consumer, position)
);
CREATE INDEX event_dead_letters_subject ON event_dead_letters (consumer, subject, position);
CREATE TABLE event_inbox (
    consumer TEXT NOT NULL,
    event_id TEXT NOT NULL,
    claimed_at BIGINT NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
";
