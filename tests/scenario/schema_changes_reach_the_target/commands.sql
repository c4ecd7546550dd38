-- Every kind of command, in the order in which one needs another. Each line that writes rows writes them into what was just changed.

-- columns; a value that only the source knows for rows that were there, known (now()) and unknown (a uuid) to its catalog
ALTER TABLE old ADD COLUMN n int DEFAULT 7 NOT NULL;
INSERT INTO old (text) VALUES ('third');
ALTER TABLE old ADD COLUMN at timestamptz DEFAULT now();
BEGIN;
INSERT INTO old (text) VALUES ('x');
ALTER TABLE old RENAME n TO m;
UPDATE old SET m = 9 WHERE id = 1;
ALTER TABLE old ALTER m TYPE bigint USING m * 100;
INSERT INTO old (text, m) VALUES ('y', 5);
COMMIT;
ALTER TABLE old ADD COLUMN last text;
UPDATE old SET last = 'l' || id;
ALTER TABLE old RENAME last TO final;
UPDATE old SET final = 'm' WHERE id = 2;
ALTER TABLE old DROP COLUMN final, ADD COLUMN final int;
UPDATE old SET final = 1 WHERE id = 3;
ALTER TABLE old RENAME final TO swap; ALTER TABLE old RENAME m TO final; ALTER TABLE old RENAME swap TO m;
UPDATE old SET m = 4, final = 5 WHERE id = 3;
ALTER TABLE old ALTER m SET DEFAULT 12, ALTER m SET STATISTICS 50, ALTER text SET STORAGE EXTERNAL;
ALTER TABLE old ALTER final DROP NOT NULL;
ALTER TABLE old ALTER text SET NOT NULL;
ALTER TABLE old ADD CONSTRAINT c1 CHECK (id > 0), ADD CONSTRAINT u1 UNIQUE (text, id);
ALTER TABLE old ADD COLUMN g int GENERATED ALWAYS AS (id * 2) STORED;
INSERT INTO old (text) VALUES ('gen');
ALTER TABLE old DROP CONSTRAINT c1;
ALTER TABLE old RENAME CONSTRAINT u1 TO u2;

-- in functions and blocks
DO $$ BEGIN
  ALTER TABLE old ADD COLUMN doc jsonb;
  EXECUTE 'CREATE INDEX old_text ON old (lower(text)); COMMENT ON TABLE old IS ''commented; really''';
END $$;
CREATE FUNCTION migrate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  FOR i IN 1..3 LOOP
    EXECUTE format('ALTER TABLE public.old ADD COLUMN loop_%s int DEFAULT %s', i, i);
  END LOOP;
  UPDATE public.old SET loop_1 = 100 WHERE id = 1;
END $$;
SELECT migrate();
CREATE FUNCTION by_sql() RETURNS void LANGUAGE sql AS $$ ALTER TABLE public.old ADD COLUMN by_sql int; UPDATE public.old SET text = text || '.'; $$;
SELECT by_sql();

-- names by the search_path, which the target's session does not have
SET search_path = app, public;
CREATE TABLE t (id int PRIMARY KEY, v varchar(10));
INSERT INTO t VALUES (1, 'a');
CREATE TYPE mood AS ENUM ('sad', 'ok');
ALTER TYPE mood ADD VALUE 'happy';
-- types that rows have take other names, labels and fields
CREATE SCHEMA types; CREATE TYPE shade AS ENUM ('dark', 'light'); CREATE TYPE paint AS (n int, shade shade); CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE painted (id int PRIMARY KEY, s shade, ss shade[], p paint, d small);
INSERT INTO painted VALUES (1, 'dark', '{dark,NULL}', (1, 'dark'), 1);
ALTER TYPE shade RENAME TO tone; INSERT INTO painted VALUES (2, 'dark', '{light}', (2, 'light'), 2);
ALTER TYPE tone SET SCHEMA types; UPDATE painted SET s = 'light' WHERE id = 1;
ALTER TYPE paint RENAME TO coat; ALTER DOMAIN small RENAME TO little; INSERT INTO painted VALUES (3, NULL, '{}', (3, 'dark'), 3);
ALTER TYPE types.tone RENAME VALUE 'dark' TO 'black'; UPDATE painted SET d = 4, p = (4, 'black') WHERE s = 'black';
ALTER TYPE types.tone ADD VALUE 'grey' BEFORE 'light'; INSERT INTO painted VALUES (4, 'grey', '{grey}', (4, 'grey'), 4);
ALTER TYPE coat DROP ATTRIBUTE n CASCADE; ALTER TYPE coat ADD ATTRIBUTE n text CASCADE; INSERT INTO painted VALUES (5, 'black', NULL, ('grey', 'not a label'), 5);
ALTER TABLE t ADD COLUMN m mood DEFAULT 'happy';
INSERT INTO t VALUES (2, 'b', 'happy');
ALTER TABLE t ALTER v TYPE text;
CREATE VIEW vv AS SELECT id, v FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM t;
CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql AS $$ SELECT i + 1; $$;
CREATE INDEX CONCURRENTLY t_v ON t (v);
CREATE INDEX part_v ON t (v) WHERE id > 1;
CREATE TEMP TABLE old (id int); ALTER TABLE old ADD x int; CREATE INDEX ON old (x); DROP TABLE old;
CREATE TABLE ctas AS SELECT g AS id, random() AS r FROM generate_series(1, 10) g;
ALTER TABLE ctas ADD PRIMARY KEY (id);
CREATE SEQUENCE sq INCREMENT 5;
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
ALTER TABLE t ADD COLUMN p posint DEFAULT 3;
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || '!'; RETURN NEW; END $$;
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg();
INSERT INTO t VALUES (3, 'c');
CREATE POLICY pol ON t USING (id > 0);
CREATE RULE ru AS ON DELETE TO t WHERE old.id = 99 DO INSTEAD NOTHING;
CREATE STATISTICS st ON id, v FROM t;
SET search_path = public;
CREATE SCHEMA other CREATE TABLE inner_t (a int PRIMARY KEY);
INSERT INTO other.inner_t VALUES (1);
ALTER TABLE app.t SET SCHEMA other;
INSERT INTO other.t VALUES (4, 'd');
ALTER TABLE other.t RENAME TO tt;
INSERT INTO other.tt VALUES (5, 'e');
SET session_replication_role = replica;
ALTER TABLE other.tt ADD COLUMN under_replica int DEFAULT 1;
INSERT INTO other.tt VALUES (6, 'f');
RESET session_replication_role;

-- dropped, with what hangs on it
CREATE TABLE gone (id int PRIMARY KEY);
CREATE VIEW gone_v AS SELECT * FROM gone;
DROP TABLE gone CASCADE;
DROP INDEX old_text;
DROP FUNCTION app.f(int);
DROP VIEW app.vv;
DROP TABLE dropped;
CREATE INDEX old_id ON old (id);
CREATE VIEW gone_w AS SELECT 1 AS x;
CREATE TABLE gone_too (id int PRIMARY KEY);
DO $$ BEGIN DROP INDEX old_id; EXECUTE 'DROP VIEW gone_w; DROP TABLE gone_too'; CREATE TEMP TABLE gone_w (); DROP TABLE gone_w; END $$;

-- partitions
CREATE TABLE part (id int, d text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (1) TO (10);
INSERT INTO part VALUES (1, 'one');
CREATE TABLE part2 (id int PRIMARY KEY, d text);
INSERT INTO part2 VALUES (11, 'eleven');
ALTER TABLE part ATTACH PARTITION part2 FOR VALUES FROM (10) TO (20);
ALTER TABLE part ADD COLUMN e int DEFAULT 5;
INSERT INTO part VALUES (2, 'two'), (12, 'twelve');
ALTER TABLE part ATTACH PARTITION joined FOR VALUES FROM (100) TO (200);
INSERT INTO part VALUES (102, 'attached');
ALTER TABLE part DETACH PARTITION part1;
INSERT INTO part1 VALUES (3, 'detached');

-- rows that were there before they were a table's of the stream
CREATE TABLE filled (id int PRIMARY KEY, d text);
INSERT INTO filled VALUES (11, 'before');
ALTER TABLE grown ATTACH PARTITION filled FOR VALUES FROM (10) TO (20);
INSERT INTO grown VALUES (12, 'after');
DO $$ BEGIN
  BEGIN
    CREATE TABLE filled2 (d text, gone int, id int PRIMARY KEY); ALTER TABLE filled2 DROP COLUMN gone; INSERT INTO filled2 VALUES ('in a subtransaction', 21);
    ALTER TABLE grown ATTACH PARTITION filled2 FOR VALUES FROM (20) TO (30);
  EXCEPTION WHEN division_by_zero THEN NULL;
  END;
END $$;

-- values that only the source knows
ALTER TABLE old ADD COLUMN u uuid DEFAULT md5(random()::text)::uuid;
ALTER TABLE old ADD COLUMN ser serial;
ALTER TABLE old ADD COLUMN idn int GENERATED BY DEFAULT AS IDENTITY;
INSERT INTO old (text) VALUES ('end');

-- rolled back, whole or in part
BEGIN;
ALTER TABLE old ADD COLUMN rolled int;
SAVEPOINT a;
ALTER TABLE old ADD COLUMN back int;
ROLLBACK TO a;
ALTER TABLE old ADD COLUMN stays int DEFAULT 8;
INSERT INTO old (text) VALUES ('sp');
COMMIT;
BEGIN;
ALTER TABLE old ADD COLUMN never int;
ROLLBACK;

-- all names of a schema become others at once
CREATE SCHEMA early; CREATE TABLE early.t (id int PRIMARY KEY, v text); INSERT INTO early.t VALUES (1, 'a');
SELECT pg_sleep(0.5);
UPDATE early.t SET v = 'b'; ALTER SCHEMA early RENAME TO late; INSERT INTO late.t VALUES (2, 'c'); UPDATE late.t SET v = v || '!' WHERE id = 1;
