-- Version 1 of the tables that servers share. Made once, at the first start, by whoever owns the database; package-info.java tells
-- what each row means. A later version changes the number in meta, and a server refuses any that it does not know.
CREATE SCHEMA IF NOT EXISTS sessiontree;

-- Numbers of sessions come from a row, as a sequence may give one again after a standby was promoted.
CREATE TABLE sessiontree.meta (version int NOT NULL, next_born bigint NOT NULL);
INSERT INTO sessiontree.meta VALUES (1, 1);

CREATE TABLE sessiontree.session (
  id text COLLATE "C" PRIMARY KEY,
  born bigint NOT NULL,                 -- another for the same id after a deletion
  phase smallint NOT NULL,              -- 1 open, 2 ended, 3 complete
  seq bigint NOT NULL,                  -- appends
  entries bigint NOT NULL,
  bytes bigint NOT NULL,                -- of children
  start_key bigint NOT NULL,
  start_text text NOT NULL,
  latest_key bigint NOT NULL,           -- the greatest timestamp of SESSION_START and children
  latest_text text NOT NULL,
  end_text text,
  abandoned boolean NOT NULL DEFAULT false,
  appended bigint NOT NULL,             -- milliseconds of clock.running
  begun timestamptz NOT NULL,
  ended timestamptz,
  claimed timestamptz,                  -- when a server last said that it makes the tree
  completed_running bigint,
  tree_bytes bigint
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX session_begun ON sessiontree.session (begun, id);
CREATE INDEX session_open ON sessiontree.session (begun, id) WHERE phase IN (1, 2);
CREATE INDEX session_complete ON sessiontree.session (begun, id) WHERE phase = 3;
CREATE INDEX session_ended ON sessiontree.session (id) WHERE phase = 2;
CREATE INDEX session_due ON sessiontree.session (completed_running) WHERE phase = 3;

CREATE TABLE sessiontree.entry (
  born bigint, seq bigint,              -- of the first append in it
  before bigint NOT NULL,               -- children stored before
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

-- What is left of a session: 1 entries of one that is complete, 2 all of one that was deleted.
CREATE TABLE sessiontree.garbage (born bigint, kind smallint, since timestamptz NOT NULL, PRIMARY KEY (born, kind));

CREATE TABLE sessiontree.clock (running bigint NOT NULL, touched timestamptz NOT NULL) WITH (fillfactor = 50);
INSERT INTO sessiontree.clock VALUES (0, clock_timestamp());

CREATE TABLE sessiontree.lease (name text PRIMARY KEY, node text NOT NULL, until timestamptz NOT NULL) WITH (fillfactor = 50);

CREATE TABLE sessiontree.lane (
  id text PRIMARY KEY,
  epoch bigint NOT NULL,                -- statements of an earlier one do nothing
  done bigint NOT NULL,                 -- the last group that was stored
  missed bigint[],                        -- its rows that were outdated
  touched timestamptz NOT NULL
) WITH (fillfactor = 50);
