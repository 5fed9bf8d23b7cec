-- Version 1 of the tables that servers share. The first server to start creates them, as owner of the database; package-info.java
-- says what each row means. A later version changes meta.version, and a server refuses a version that it does not know.
CREATE SCHEMA IF NOT EXISTS sessiontree;

-- Session numbers (born) come from a row, as a sequence may give a number again after a standby was promoted.
CREATE TABLE sessiontree.meta (version int NOT NULL, next_born bigint NOT NULL);
INSERT INTO sessiontree.meta VALUES (1, 1);

CREATE TABLE sessiontree.session (
  id text COLLATE "C" PRIMARY KEY,
  born bigint NOT NULL,                 -- session number; the same id gets another after a deletion
  phase smallint NOT NULL,              -- 1 open, 2 ended, 3 complete
  seq bigint NOT NULL,                  -- number of appends
  entries bigint NOT NULL,
  bytes bigint NOT NULL,                -- of children
  start_key bigint NOT NULL,
  start_text text NOT NULL,
  latest_key bigint NOT NULL,           -- greatest timestamp of SESSION_START and children
  latest_text text NOT NULL,
  end_text text,
  abandoned boolean NOT NULL DEFAULT false,
  appended bigint NOT NULL,             -- clock.running at the last append, in milliseconds
  begun timestamptz NOT NULL,
  ended timestamptz,
  claimed timestamptz,                  -- when a server last claimed to make the tree
  completed_running bigint,
  tree_bytes bigint
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX session_begun ON sessiontree.session (begun, id);
CREATE INDEX session_open ON sessiontree.session (begun, id) WHERE phase IN (1, 2);
CREATE INDEX session_complete ON sessiontree.session (begun, id) WHERE phase = 3;
CREATE INDEX session_ended ON sessiontree.session (id) WHERE phase = 2;
CREATE INDEX session_due ON sessiontree.session (completed_running) WHERE phase = 3;

CREATE TABLE sessiontree.entry (
  born bigint, seq bigint,              -- session.seq before the first append in the row
  before bigint NOT NULL,               -- number of children in earlier rows
  count int NOT NULL,
  children bytea NOT NULL,
  PRIMARY KEY (born, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE sessiontree.entry ALTER COLUMN children SET STORAGE EXTERNAL;

CREATE TABLE sessiontree.writer (
  born bigint, name text COLLATE "C", number bigint NOT NULL, PRIMARY KEY (born, name)
) WITH (fillfactor = 70);

CREATE TABLE sessiontree.tree (born bigint, part int, bytes bytea NOT NULL, PRIMARY KEY (born, part));
ALTER TABLE sessiontree.tree ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- What is left of a session. Kind 1: entries of a complete session; 2: everything of a deleted session; 3: only its tree.
CREATE TABLE sessiontree.garbage (born bigint, kind smallint, since timestamptz NOT NULL, PRIMARY KEY (born, kind));

CREATE TABLE sessiontree.clock (running bigint NOT NULL, touched timestamptz NOT NULL) WITH (fillfactor = 50);
INSERT INTO sessiontree.clock VALUES (0, clock_timestamp());

CREATE TABLE sessiontree.lease (name text PRIMARY KEY, node text NOT NULL, until timestamptz NOT NULL) WITH (fillfactor = 50);

CREATE TABLE sessiontree.lane (
  id text PRIMARY KEY,
  epoch bigint NOT NULL,                -- statements of an earlier epoch do nothing
  done bigint NOT NULL,                 -- number of the last group that was stored
  missed bigint[],                        -- born of those of its changes that were outdated
  touched timestamptz NOT NULL
) WITH (fillfactor = 50);
