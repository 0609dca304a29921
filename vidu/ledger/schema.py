"""The ledger's tables, the same in SQLite and in PostgreSQL."""

from __future__ import annotations

VERSION = 1
"""The version of the tables; a database with a higher one was made by a newer version."""

TABLES = """
CREATE TABLE entries (
    id {id_type},
    fingerprint TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    state TEXT NOT NULL,
    prompt TEXT NOT NULL,
    search_text TEXT NOT NULL,
    seed BIGINT NOT NULL,
    options TEXT NOT NULL,
    likeness_key TEXT NOT NULL DEFAULT '',
    price_micro_usd BIGINT NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    revision BIGINT NOT NULL,
    reserved_at DOUBLE PRECISION NOT NULL,
    counted_at DOUBLE PRECISION,
    arguments TEXT,
    max_lifetime_s DOUBLE PRECISION,
    account TEXT,
    submitting_at DOUBLE PRECISION,
    submitting_server_time DOUBLE PRECISION,
    request_id TEXT,
    status_url TEXT,
    response_url TEXT,
    cancel_url TEXT,
    submitted_at DOUBLE PRECISION,
    cancelled_at DOUBLE PRECISION,
    output_url TEXT,
    output_size BIGINT,
    output_kind TEXT,
    billable_units DOUBLE PRECISION,
    output_seed BIGINT,
    finished_at DOUBLE PRECISION,
    path TEXT,
    relative_path TEXT,
    size BIGINT,
    sha256 TEXT,
    content_sha256 TEXT,
    width BIGINT,
    height BIGINT,
    fps DOUBLE PRECISION,
    frame_count BIGINT,
    duration_s DOUBLE PRECISION,
    saved_at DOUBLE PRECISION,
    failure TEXT,
    billed BIGINT,
    failed_at DOUBLE PRECISION,
    deleted_at DOUBLE PRECISION
);
CREATE UNIQUE INDEX one_active_entry ON entries (fingerprint)
    WHERE state <> 'failed' AND deleted_at IS NULL;
CREATE UNIQUE INDEX one_entry_per_request ON entries (request_id);
CREATE INDEX entries_by_likeness ON entries (likeness_key)
    WHERE state <> 'failed' AND deleted_at IS NULL;
CREATE INDEX entries_by_shot ON entries (fingerprint, reserved_at);
CREATE INDEX entries_by_day ON entries (counted_at);
CREATE INDEX unfinished_entries ON entries (id)
    WHERE state IN ('submitting', 'submitted', 'cancelled', 'finished') AND deleted_at IS NULL;
CREATE INDEX shown_entries ON entries (state, id) WHERE deleted_at IS NULL;
CREATE INDEX shown_entries_by_endpoint ON entries (endpoint, id) WHERE deleted_at IS NULL;
CREATE INDEX shown_entries_by_host ON entries (host, id) WHERE deleted_at IS NULL;
CREATE TABLE metadata (
    entry_id BIGINT PRIMARY KEY,
    packed BYTEA NOT NULL
);
CREATE TABLE likenesses (
    entry_id BIGINT PRIMARY KEY,
    packed BYTEA NOT NULL
);
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
)
"""
"""Times are seconds since 1970, money whole millionths of a dollar, `deleted_at` a tombstone: the
row is shown no more, its amount stays in the sums. `counted_at` is the time of the day whose budget
holds the row (see `budget.py`); the row counts on every day until that is known. `revision` counts
the changes of a row, so that of two copies the newer one is known whatever the clocks said."""


def create_statements(id_type: str) -> list[str]:
    """Return the statements that make the tables.

    Args:
        id_type: What gives `entries.id` the next whole number: the one word that differs.
    """
    return [statement.strip() for statement in TABLES.format(id_type=id_type).split(";")]
