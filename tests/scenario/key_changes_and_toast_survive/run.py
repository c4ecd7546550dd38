#!/usr/bin/env python3
"""All four replica identities, changed keys, TOASTed values that did not change, and many changes of one row in one transaction."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE by_key (id int PRIMARY KEY, n int, big text);
CREATE TABLE two_keys (a int, b text, n int, big text, PRIMARY KEY (b, a));
CREATE TABLE by_index (id int, code text NOT NULL, n int, big text);
CREATE UNIQUE INDEX by_index_code ON by_index (code);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code;
CREATE TABLE full_with_key (id int PRIMARY KEY, n int, big text);
ALTER TABLE full_with_key REPLICA IDENTITY FULL;
CREATE TABLE full_without_key (id int, n int, big text);
ALTER TABLE full_without_key REPLICA IDENTITY FULL;
CREATE TABLE only_inserted (id int, n int, big text);
ALTER TABLE only_inserted REPLICA IDENTITY NOTHING;
CREATE TABLE no_identity (id int, n int, big text);
CREATE TABLE toasted_key (id text PRIMARY KEY, n int);
-- random text so that it is not compressed away: TOASTed out of line
CREATE FUNCTION big(seed int) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(md5((seed * 1000 + i)::text), '') FROM generate_series(1, 400) AS i $$;
"""

FILL = """
INSERT INTO by_key SELECT i, i, big(i) FROM generate_series({0} + 1, {0} + 20) AS i;
INSERT INTO two_keys SELECT i, 'k' || i % 3, i, big(i) FROM generate_series({0} + 1, {0} + 20) AS i;
INSERT INTO by_index SELECT i, 'code ' || i, i, big(i) FROM generate_series({0} + 1, {0} + 20) AS i;
INSERT INTO full_with_key SELECT i, i, big(i) FROM generate_series({0} + 1, {0} + 20) AS i;
INSERT INTO full_without_key SELECT i / 2, i % 2, big(i) FROM generate_series({0} + 1, {0} + 20) AS i;
INSERT INTO full_without_key SELECT 0, 0, NULL FROM generate_series(1, 5);
INSERT INTO only_inserted SELECT i, i, big(i) FROM generate_series({0} + 1, {0} + 20) AS i;
INSERT INTO no_identity SELECT i, i, big(i) FROM generate_series({0} + 1, {0} + 20) AS i;
INSERT INTO toasted_key SELECT 'k' || i, i FROM generate_series({0} + 1, {0} + 20) AS i;
"""

CHANGES = """
-- values that stay TOASTed and are not sent
UPDATE by_key SET n = n + 1 WHERE id % 2 = 0;
UPDATE two_keys SET n = n + 1 WHERE a % 2 = 0;
UPDATE by_index SET n = n + 1 WHERE id % 2 = 0;
UPDATE full_with_key SET n = n + 1 WHERE id % 2 = 0;
UPDATE full_without_key SET n = n + 10 WHERE id % 2 = 0;
-- changed keys, with the TOASTed value left alone
UPDATE by_key SET id = id + 1000 WHERE id % 5 = 0;
UPDATE two_keys SET a = a + 1000 WHERE a % 5 = 0;
UPDATE two_keys SET b = b || '+', n = -1 WHERE a % 7 = 0;
UPDATE by_index SET code = code || ' new' WHERE id % 5 = 0;
UPDATE full_with_key SET id = id + 1000 WHERE id % 5 = 0;
UPDATE full_without_key SET id = id + 1000 WHERE id % 5 = 0;
UPDATE toasted_key SET id = id || ' new' WHERE n % 5 = 0;
-- the key of a row that was just removed, and two rows that swap their keys by way of a third
BEGIN;
DELETE FROM by_key WHERE id = 3;
UPDATE by_key SET id = 3 WHERE id = 4;
UPDATE by_key SET id = -1 WHERE id = 1;
UPDATE by_key SET id = 1 WHERE id = 2;
UPDATE by_key SET id = 2 WHERE id = -1;
COMMIT;
-- the same key inserted and deleted again and again
BEGIN;
INSERT INTO by_key VALUES (500, 1, big(500));
UPDATE by_key SET n = 2 WHERE id = 500;
UPDATE by_key SET n = 3 WHERE id = 500;
DELETE FROM by_key WHERE id = 500;
INSERT INTO by_key VALUES (500, 4, big(501));
UPDATE by_key SET n = 5 WHERE id = 500;
UPDATE by_key SET id = 501 WHERE id = 500;
INSERT INTO by_key VALUES (500, 6, NULL);
UPDATE by_key SET big = big(502) WHERE id = 500;
UPDATE by_key SET n = 7 WHERE id = 500;
INSERT INTO by_key VALUES (502, 1, big(502));
DELETE FROM by_key WHERE id = 502;
COMMIT;
-- an insert and an update of one row in transactions of their own, applied in one batch perhaps
INSERT INTO by_key VALUES (600, 1, big(600));
UPDATE by_key SET n = 2 WHERE id = 600;
INSERT INTO by_index VALUES (600, 'code 600', 1, big(600));
UPDATE by_index SET n = 2 WHERE code = 'code 600';
UPDATE by_index SET code = 'code 601' WHERE code = 'code 600';
-- NULL to a value and back
UPDATE by_key SET big = NULL WHERE id % 3 = 1;
UPDATE full_with_key SET big = 'short' WHERE id % 3 = 1;
UPDATE full_without_key SET big = NULL, n = NULL WHERE id % 3 = 1;
UPDATE full_without_key SET n = 99 WHERE n IS NULL;
DELETE FROM by_key WHERE id % 4 = 3;
DELETE FROM two_keys WHERE a % 4 = 3;
DELETE FROM by_index WHERE id % 4 = 3;
DELETE FROM full_with_key WHERE id % 4 = 3;
-- one of five equal rows
DELETE FROM full_without_key WHERE ctid = (SELECT min(ctid) FROM full_without_key WHERE id = 0 AND big IS NULL);
-- rolled back: must leave no trace
BEGIN;
UPDATE by_key SET n = -99;
ROLLBACK;
BEGIN;
INSERT INTO by_key VALUES (700, 1, NULL);
SAVEPOINT a;
INSERT INTO by_key VALUES (701, 1, big(701));
UPDATE by_key SET n = -1 WHERE id = 700;
ROLLBACK TO a;
INSERT INTO by_key VALUES (702, 1, big(702));
COMMIT;
"""


def main(s):
    source = s.server()
    source.sql(TABLES + FILL.format(0))
    target = s.target()
    s.sync_until_caught_up(source.uri(), target, "--name", "keys")
    s.equal(source, target)

    # once as a backlog that is applied in one go, and once while it runs
    source.sql(FILL.format(100) + CHANGES)
    s.sync_until_caught_up(source.uri(), target, "--name", "keys")
    s.equal(source, target)

    follow = s.sync(source.uri(), target, "--name", "keys")
    source.sql("DELETE FROM by_key; DELETE FROM two_keys; DELETE FROM by_index; DELETE FROM full_with_key;"
               "DELETE FROM toasted_key;" + FILL.format(200) + CHANGES.replace("600", "900").replace("601", "901"))
    assert follow.stop() == 0, follow.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "keys")
    s.equal(source, target)


scenario.run(main, cases=scenario.SINKS)
