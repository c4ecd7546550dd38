#!/usr/bin/env python3
"""pgvector's types, copied and streamed, are the same in the target: vector, halfvec, sparsevec, arrays of them, values that a float cannot
hold exactly; a PostgreSQL target has the source's HNSW and IVFFlat indexes. With a real pgvector (scripts/install-pgvector); skipped, with that
word, where its source cannot be had.

VECTORS=200000 adds a table of that many vectors of 384 dimensions with an HNSW index, copied and streamed under load (make check: none)."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

VECTORS = int(os.environ.get("VECTORS", "0"))
TABLE = """
CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), free vector, half halfvec(4), sparse sparsevec(5), bits bit(3), many vector[], halves halfvec[], sparses sparsevec[], bitses bit(3)[]);
CREATE INDEX ON items USING hnsw (embedding vector_l2_ops);
CREATE INDEX ON items USING hnsw (half halfvec_cosine_ops) WITH (m=8, ef_construction=32);
CREATE INDEX ON items USING hnsw (sparse sparsevec_l2_ops);
CREATE INDEX ON items USING hnsw (bits bit_hamming_ops);
CREATE INDEX ON items USING ivfflat (embedding vector_ip_ops) WITH (lists=5);
CREATE INDEX ON items USING hnsw ((binary_quantize(embedding)::bit(3)) bit_hamming_ops) WHERE id > 10;
"""
# Four numbers make each vector, so that nearest neighbours mean something.
LARGE = """
CREATE FUNCTION made(a float8, b float8, c float8, d float8) RETURNS vector LANGUAGE sql IMMUTABLE AS
    $$ SELECT array_agg((sin(a * j / 10 + b) + c * cos(d * j / 7))::real ORDER BY j)::vector FROM generate_series(1, 384) j $$;
CREATE TABLE chunks (id bigserial PRIMARY KEY, doc text, embedding vector(384));
"""
FILL = "SELECT setseed({seed}); INSERT INTO chunks (doc, embedding) SELECT 'doc ' || i, made(random() * 6, random() * 6, random(), random() * 6) FROM generate_series(1, {count}) i;"
LOAD = """
\\set id random(1, {count})
UPDATE chunks SET embedding = made(random() * 6, random() * 6, random(), random() * 6) WHERE id = :id;
INSERT INTO chunks (doc, embedding) VALUES ('new', made(random() * 6, random() * 6, random(), random() * 6));
DELETE FROM chunks WHERE id = :id + 7;
"""
INDEXES = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '{}'::regclass AND indisvalid ORDER BY 1"
ROWS = """
INSERT INTO items SELECT {base} + i, ARRAY[i, i / 3.0, -i]::vector, ARRAY[i]::vector, ARRAY[0.1, i, -65504, 6e-8]::halfvec,
    ('{{1:' || i + 0.5 || ',5:-2}}/5')::sparsevec, i::bit(3), ARRAY['[1,2]'::vector, NULL, '[3.4e38]'::vector],
    ARRAY['[1,2]'::halfvec, NULL, '[6e-8]'::halfvec], ARRAY['{{2:0.1}}/3'::sparsevec, NULL], ARRAY[i::bit(3), NULL] FROM generate_series(1, 200) AS i;
INSERT INTO items (id) VALUES ({base});
"""


def same_in_duckdb(source, target):
    """As numbers: both write a float4 in the fewest digits that tell it from its neighbours."""
    there = source.sql("SELECT id, embedding::real[]::text, free::real[]::text, half::real[]::text, sparse, bits, many, halves, sparses, bitses FROM items ORDER BY id")
    here = target.query("SELECT id, embedding, free, half, sparse, bits, many, halves, sparses, bitses FROM public.items ORDER BY id")

    def numbers(text):
        return [float(word) if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", word) else word
                for word in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?|NULL", text)]

    ours, theirs = here.split("\n"), there.split("\n")
    assert len(ours) == len(theirs) > 100, (len(ours), len(theirs))
    for one, other in zip(ours, theirs):
        assert numbers(one.replace("\\N", "")) == numbers(other), f"{one}\nis not\n{other}"


def same(s, source, target):
    if s.case == "duckdb":
        same_in_duckdb(source, target)
    else:
        s.equal(source, target, tables=[("public", "items")])


def neighbours(sql, keys, by_index):
    """The ten nearest of each: as the index finds them, which the plan has to use, or all that are nearest."""
    settings = f"SET enable_seqscan = {'off' if by_index else 'on'}; SET enable_indexscan = {'on' if by_index else 'off'}; SET hnsw.ef_search = 1000; SET statement_timeout = 0;"
    query = "SELECT id FROM chunks ORDER BY embedding <-> (SELECT embedding FROM chunks WHERE id = {}) LIMIT 10"
    assert ("chunks_embedding_idx" in sql(settings + "EXPLAIN " + query.format(keys[0]))) == by_index
    return sql(settings + ";".join(f"SELECT array_agg(id ORDER BY id) FROM ({query.format(key)}) AS n" for key in keys)).split("\n")


def recall(found, exact):
    """How much of what is nearest was found."""
    return sum(len(set(one.strip("{}").split(",")) & set(other.strip("{}").split(","))) for one, other in zip(found, exact)) / (10 * len(exact))


def large(s, source, target):
    source.sql(LARGE + FILL.format(seed=0.5, count=VECTORS))
    source.sql("SET maintenance_work_mem = '1GB'; CREATE INDEX ON chunks USING hnsw (embedding vector_l2_ops) WITH (m=12, ef_construction=48); ANALYZE chunks")
    print("the source has its index")
    load = source.pgbench("-c", 1, "-T", 3600, script=LOAD.format(count=VECTORS))
    run = s.sync(source.uri(), target, "--name", "large", "-t", "chunks")
    scenario.wait_for(lambda: "streaming changes from" in run.stderr or not run.running(), 3600, "it is copied")
    print("copied; streams under load")
    copied = int(target.query("SELECT count(*) FROM chunks WHERE doc = 'new'"))
    scenario.wait_for(lambda: int(target.query("SELECT count(*) FROM chunks WHERE doc = 'new'")) > copied + 300, 3600, "changes have come")
    load.stop()
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "large", "-t", "chunks", seconds=1200)
    s.equal(source, target, tables=[("public", "chunks")])
    assert source.sql(INDEXES.format("chunks")) == target.query(INDEXES.format("chunks"))
    keys = source.sql("SELECT id FROM chunks ORDER BY hashint8(id) LIMIT 100").split("\n")
    exact = neighbours(source.sql, keys, False)
    assert neighbours(target.query, keys, False) == exact and len(exact) == 100, "other rows are nearest at the target"
    print("100 queries find the same ten at both ends")
    for ask in (source.sql, target.query):  # an index with many dead rows in it finds less; VACUUM would take longer than building it anew, by one worker
        ask("SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 2; REINDEX TABLE chunks")
    # HNSW is approximate: two graphs of the same rows that grew in another order do not find quite the same ones
    here, there = neighbours(source.sql, keys, True), neighbours(target.query, keys, True)
    same_ones = sum(one == two for one, two in zip(here, there))
    print(f"by the index {same_ones} of {len(keys)} queries find the same ten; it finds {recall(here, exact):.2%} at the source, {recall(there, exact):.2%} at the target")
    assert recall(there, exact) > recall(here, exact) - 0.02, "the target's index finds less than the source's"


def in_binary(s, source, target):
    """Where both ends have the extension in one version; what says so is in the log. Then as text, as another version may have another form."""
    source.sql("CREATE TABLE small (id int PRIMARY KEY, e vector(3), h halfvec(4), s sparsevec(5)); INSERT INTO small SELECT id, embedding, half, sparse FROM items")
    options = ["--name", "binary", "-t", "small"]
    for version, how in (("0.8.0", "in binary"), ("0.7.4", "as text")):
        target.query(f"UPDATE pg_extension SET extversion = '{version}' WHERE extname = 'vector'")
        run = s.sync_until_caught_up(source.uri(), target, *options)
        assert f"values of extension vector go {how}: version" in run.stderr and ("(binary values)" in run.stderr) == (how == "in binary"), run.stderr
        source.sql("UPDATE small SET e = '[0.1,3.4e38,-1e-40]', h = '[0.1,-65504,6e-8,2]', s = '{3:0.1}/5' WHERE id % 3 = 0; DELETE FROM small WHERE id % 7 = 0;"
                   "UPDATE small SET id = id + 10000 WHERE id % 10 = 1")
        run = s.sync_until_caught_up(source.uri(), target, *options)
        assert ("(binary values)" in run.stderr) == (how == "in binary"), run.stderr
        s.equal(source, target, tables=[("public", "small")])
    source.sql("DROP TABLE small")


def main(s):
    settings, _ = scenario.extension_settings("install-pgvector")
    if not settings:
        return
    source = s.server(settings)
    source.sql("CREATE EXTENSION vector;" + TABLE + ROWS.format(base=0))
    target = s.target("postgres" if s.case == "large" else None)
    if s.case in ("postgres", "large"):
        target.query("CREATE EXTENSION vector")
    if s.case == "large":
        return large(s, source, target)
    options = ["--name", "vectors", "-t", "items"]
    s.sync_until_caught_up(source.uri(), target, *options)
    same(s, source, target)
    source.sql(ROWS.format(base=1000) + "UPDATE items SET embedding = '[9,9,9.5]' WHERE id % 7 = 0; DELETE FROM items WHERE id % 5 = 0;"
               "UPDATE items SET id = id + 5000 WHERE id % 11 = 0")
    s.sync_until_caught_up(source.uri(), target, *options)
    same(s, source, target)
    if s.case == "postgres":
        in_binary(s, source, target)
        assert source.sql(INDEXES.format("items")) == target.query(INDEXES.format("items"))
    if s.case == "duckdb":
        types = target.types("public", "items")
        assert types["embedding"] == "FLOAT[3]" and types["half"] == "FLOAT[4]" and types["free"] == "FLOAT[]", types


scenario.run(main, cases=[*scenario.SINKS, *(["large"] if VECTORS else [])])
