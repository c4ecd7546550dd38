#!/usr/bin/env python3
"""Every command of docs/guides/ does what the guide says: they are run as they stand, with two servers in place of its two hosts. Those of upgrade.md are run by a_major_upgrade_loses_nothing."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from guides import commands, environment
from server import TOP

FAST = {"wal_receiver_status_interval": "1s", "wal_retrieve_retry_interval": "100ms"}
SHOP = """CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 50) i;
CREATE TABLE orders (id serial PRIMARY KEY, user_id int REFERENCES users, amount numeric); INSERT INTO orders (user_id, amount) SELECT 1 + i % 50, i FROM generate_series(1, 500) i;
CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items SELECT generate_series(1, 7)"""


def main(s):
    source, target = s.server(FAST), s.server(FAST)
    source.create_database("shop", SHOP)
    target.create_database("ml")
    env = environment(s)
    said = {}
    for number, (_, command) in enumerate(commands("data-to-another-database.md")):
        text = command.replace("postgres://me@app.example/shop", source.uri("shop")).replace("postgres://me@ml.example/ml", target.uri("ml"))
        done = subprocess.run(["bash", "-c", text], cwd=s.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        said[number] = done.stdout
        if "restore" in command:
            assert target.sql("SELECT (SELECT count(*) FROM users) || ' ' || (SELECT sum(amount) FROM orders)", "ml") == "50 125250", command
        if "psql" in command and "spent" in command:
            assert "user 50" in done.stdout or "user 4" in done.stdout, done.stdout
        if command.endswith("--into shop --drop"):
            assert target.sql("SELECT count(*) FROM pg_foreign_server", "ml") == "0"
        if "--if-exists truncate --until" in command:
            source.sql("INSERT INTO users VALUES (51, 'late')", "shop")
            scenario.wait_for(lambda: target.sql("SELECT count(*) FROM users", "ml") == "51", 60, "a change arrives")
        if "count(*) FROM items" in command:
            assert "7" in done.stdout, done.stdout
    assert len(said) >= 12, "the guide's commands were not found"
    assert target.sql("SELECT (SELECT count(*) FROM pg_subscription) || ' ' || (SELECT count(*) FROM users)", "ml") == "0 51" and source.slots() == {}


def vectors(s):
    """Embeddings in another region and in DuckDB."""
    settings, _ = scenario.extension_settings("install-pgvector")
    if not settings:
        return
    server = s.server(settings)
    server.create_database("shop", "CREATE EXTENSION vector; CREATE TABLE chunks (id int PRIMARY KEY, doc text, embedding vector(3)); CREATE INDEX ON chunks USING hnsw (embedding vector_l2_ops);"
                           "INSERT INTO chunks SELECT i, 'doc ' || i, ARRAY[i, 2, 3]::vector FROM generate_series(1, 50) i")
    server.create_database("region")
    env = environment(s)
    lines = commands("vectors.md")
    assert len(lines) >= 7, "the guide's commands were not found"
    for _, command in lines:
        text = command.replace("postgres://me@app.example/shop", server.uri("shop")).replace("postgres://me@region.example/shop", server.uri("region"))
        done = subprocess.run(["bash", "-c", text], cwd=s.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if "LIMIT 3" in command:
            assert "doc 1\n" in done.stdout, done.stdout
    assert "USING hnsw" in server.sql("SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'chunks'::regclass AND NOT indisprimary", "region")
    assert os.path.getsize(os.path.join(s.folder, "chunks.duckdb")) > 0 and server.slots() == {}


CASES = {"tables": main, "vectors": vectors}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
