//! The tables. Expand before contract: a step that was released is never changed.

use aiva_store::migrate::{MigrationSet, Phase, Step};

/// The steps of this crate.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    owner: "findings",
    steps: &[Step { version: 1, name: "first_tables", phase: Phase::Expand, sqlite: SQLITE_1, postgres: POSTGRES_1 }],
};

const SQLITE_1: &str = "
CREATE TABLE findings_services (
  name TEXT PRIMARY KEY, description TEXT NOT NULL, origin TEXT NOT NULL, version INTEGER NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
) STRICT;
CREATE TABLE findings_scans (
  id TEXT PRIMARY KEY, service TEXT NOT NULL, guard TEXT NOT NULL, state TEXT NOT NULL,
  requested_at INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX findings_scans_by_service ON findings_scans (service, guard, id);
CREATE TABLE findings_inputs (
  scan TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (scan, path, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE findings_chunks (
  scan TEXT NOT NULL, kind TEXT NOT NULL, chunk INTEGER NOT NULL, PRIMARY KEY (scan, kind, chunk)
) STRICT, WITHOUT ROWID;
CREATE TABLE findings_findings (
  age INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, guard TEXT NOT NULL, service TEXT NOT NULL,
  state TEXT NOT NULL, kind TEXT NOT NULL, level INTEGER NOT NULL, package TEXT NOT NULL, path TEXT NOT NULL,
  haystack TEXT NOT NULL, body TEXT NOT NULL, acceptance TEXT, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
  last_scan TEXT NOT NULL, revision INTEGER NOT NULL
) STRICT;
CREATE INDEX findings_findings_by_service ON findings_findings (service, guard, state);
CREATE TABLE findings_names (
  guard TEXT NOT NULL, service TEXT NOT NULL, path TEXT NOT NULL, package TEXT NOT NULL, name TEXT NOT NULL,
  fingerprint TEXT NOT NULL, PRIMARY KEY (guard, service, path, package, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_names_by_name ON findings_names (name);
CREATE INDEX findings_names_by_fingerprint ON findings_names (fingerprint);
CREATE TABLE findings_history (
  fingerprint TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (fingerprint, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE findings_exceptions (
  id TEXT PRIMARY KEY, guard TEXT NOT NULL, rule TEXT NOT NULL, owner TEXT NOT NULL, reason TEXT NOT NULL,
  expires TEXT NOT NULL, created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE findings_trend (
  service TEXT NOT NULL, guard TEXT NOT NULL, day TEXT NOT NULL, counts TEXT NOT NULL, accepted INTEGER NOT NULL,
  PRIMARY KEY (service, guard, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE findings_attempts (
  key TEXT PRIMARY KEY, request BLOB NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX findings_attempts_by_time ON findings_attempts (at);
";

const POSTGRES_1: &str = "
CREATE TABLE findings_services (
  name TEXT COLLATE \"C\" PRIMARY KEY, description TEXT NOT NULL, origin TEXT NOT NULL, version BIGINT NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE TABLE findings_scans (
  id TEXT COLLATE \"C\" PRIMARY KEY, service TEXT NOT NULL, guard TEXT NOT NULL, state TEXT NOT NULL,
  requested_at BIGINT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX findings_scans_by_service ON findings_scans (service, guard, id);
CREATE TABLE findings_inputs (
  scan TEXT NOT NULL, path TEXT COLLATE \"C\" NOT NULL, kind TEXT COLLATE \"C\" NOT NULL, status TEXT NOT NULL,
  body TEXT NOT NULL, PRIMARY KEY (scan, path, kind)
);
CREATE TABLE findings_chunks (
  scan TEXT NOT NULL, kind TEXT NOT NULL, chunk BIGINT NOT NULL, PRIMARY KEY (scan, kind, chunk)
);
CREATE TABLE findings_findings (
  age BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, fingerprint TEXT COLLATE \"C\" NOT NULL UNIQUE,
  guard TEXT NOT NULL, service TEXT COLLATE \"C\" NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL,
  level BIGINT NOT NULL, package TEXT COLLATE \"C\" NOT NULL, path TEXT NOT NULL, haystack TEXT NOT NULL,
  body TEXT NOT NULL, acceptance TEXT, first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL,
  last_scan TEXT NOT NULL, revision BIGINT NOT NULL
);
CREATE INDEX findings_findings_by_service ON findings_findings (service, guard, state);
CREATE TABLE findings_names (
  guard TEXT NOT NULL, service TEXT NOT NULL, path TEXT NOT NULL, package TEXT NOT NULL, name TEXT NOT NULL,
  fingerprint TEXT NOT NULL, PRIMARY KEY (guard, service, path, package, name)
);
CREATE INDEX findings_names_by_name ON findings_names (name);
CREATE INDEX findings_names_by_fingerprint ON findings_names (fingerprint);
CREATE TABLE findings_history (
  fingerprint TEXT NOT NULL, revision BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (fingerprint, revision)
);
CREATE TABLE findings_exceptions (
  id TEXT COLLATE \"C\" PRIMARY KEY, guard TEXT NOT NULL, rule TEXT NOT NULL, owner TEXT NOT NULL, reason TEXT NOT NULL,
  expires TEXT NOT NULL, created_at BIGINT NOT NULL
);
CREATE TABLE findings_trend (
  service TEXT NOT NULL, guard TEXT NOT NULL, day TEXT NOT NULL, counts TEXT NOT NULL, accepted BIGINT NOT NULL,
  PRIMARY KEY (service, guard, day)
);
CREATE TABLE findings_attempts (
  key TEXT PRIMARY KEY, request BYTEA NOT NULL, answer TEXT NOT NULL, at BIGINT NOT NULL
);
CREATE INDEX findings_attempts_by_time ON findings_attempts (at);
";
