//! The tables. Expand before contract: a step that was released is never changed.
//!
//! Ids are UUIDs of version 7 as 16 bytes, so that the primary key is the order of time and new rows go to its end.

use aiva_store::migrate::{MigrationSet, Phase, Step};

/// The steps of this crate.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    owner: "egress",
    steps: &[
        Step { version: 1, name: "records", phase: Phase::Expand, sqlite: SQLITE_1, postgres: POSTGRES_1 },
        Step { version: 2, name: "roles", phase: Phase::Expand, sqlite: SQLITE_2, postgres: POSTGRES_2 },
    ],
};

const SQLITE_1: &str = "
CREATE TABLE egress_records (
  id BLOB PRIMARY KEY, role TEXT NOT NULL, caller TEXT NOT NULL, form TEXT NOT NULL, host TEXT NOT NULL,
  outcome TEXT NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL, ended TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX egress_records_by_host ON egress_records (host, id);
CREATE INDEX egress_records_refused ON egress_records (id) WHERE outcome <> 'allow';
CREATE TABLE egress_hours (
  hour INTEGER NOT NULL, role TEXT NOT NULL, host TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
  count INTEGER NOT NULL, PRIMARY KEY (hour, role, host, outcome, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE egress_hosts (
  role TEXT NOT NULL, host TEXT NOT NULL, first_at INTEGER NOT NULL, decision BLOB NOT NULL, PRIMARY KEY (role, host)
) STRICT, WITHOUT ROWID;
CREATE INDEX egress_hosts_by_time ON egress_hosts (first_at);
CREATE TABLE egress_rolled_up (hour INTEGER PRIMARY KEY) STRICT;
";

const POSTGRES_1: &str = "
CREATE TABLE egress_records (
  id BYTEA PRIMARY KEY, role TEXT NOT NULL, caller TEXT NOT NULL, form TEXT NOT NULL, host TEXT NOT NULL,
  outcome TEXT NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL, ended TEXT
);
CREATE INDEX egress_records_by_host ON egress_records (host, id);
CREATE INDEX egress_records_refused ON egress_records (id) WHERE outcome <> 'allow';
CREATE TABLE egress_hours (
  hour BIGINT NOT NULL, role TEXT COLLATE \"C\" NOT NULL, host TEXT COLLATE \"C\" NOT NULL, outcome TEXT NOT NULL,
  reason TEXT COLLATE \"C\" NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (hour, role, host, outcome, reason)
);
CREATE TABLE egress_hosts (
  role TEXT COLLATE \"C\" NOT NULL, host TEXT COLLATE \"C\" NOT NULL, first_at BIGINT NOT NULL, decision BYTEA NOT NULL,
  PRIMARY KEY (role, host)
);
CREATE INDEX egress_hosts_by_time ON egress_hosts (first_at);
CREATE TABLE egress_rolled_up (hour BIGINT PRIMARY KEY);
";

const SQLITE_2: &str = "
CREATE INDEX egress_records_by_caller ON egress_records (caller, id);
ALTER TABLE egress_records ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
CREATE INDEX egress_records_open ON egress_records (id) WHERE open = 1;
CREATE TABLE egress_role_versions (
  name TEXT NOT NULL, version INTEGER NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL, body TEXT,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
";

const POSTGRES_2: &str = "
CREATE INDEX egress_records_by_caller ON egress_records (caller, id);
ALTER TABLE egress_records ADD COLUMN open BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX egress_records_open ON egress_records (id) WHERE open;
CREATE TABLE egress_role_versions (
  name TEXT COLLATE \"C\" NOT NULL, version BIGINT NOT NULL, changed_at BIGINT NOT NULL, changed_by TEXT NOT NULL, body TEXT,
  PRIMARY KEY (name, version)
);
";
