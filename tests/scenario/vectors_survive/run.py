#!/usr/bin/env python3
"""pgvector's types, copied and streamed, are the same in the target: vector, halfvec, sparsevec, arrays of them, values that a float cannot
hold exactly. With a real pgvector (scripts/install-pgvector); skipped, with that word, where its source cannot be had."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLE = """
CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), free vector, half halfvec(4), sparse sparsevec(5), bits bit(3), many vector[]);
CREATE INDEX ON items USING hnsw (embedding vector_l2_ops);
"""
ROWS = """
INSERT INTO items SELECT {base} + i, ARRAY[i, i / 3.0, -i]::vector, ARRAY[i]::vector, ARRAY[0.1, i, -65504, 6e-8]::halfvec,
    ('{{1:' || i + 0.5 || ',5:-2}}/5')::sparsevec, i::bit(3), ARRAY['[1,2]'::vector, NULL, '[3.4e38]'::vector] FROM generate_series(1, 200) AS i;
INSERT INTO items (id) VALUES ({base});
"""


def same_in_duckdb(source, target):
    """As numbers: both write a float4 in the fewest digits that tell it from its neighbours."""
    there = source.sql("SELECT id, embedding::real[]::text, free::real[]::text, half::real[]::text, sparse, bits, many FROM items ORDER BY id")
    here = target.query("SELECT id, embedding, free, half, sparse, bits, many FROM public.items ORDER BY id")

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


def main(s):
    built = subprocess.run([os.path.join(scenario.TOP, "scripts/install-pgvector")], stdout=subprocess.PIPE, text=True)
    if built.returncode == 3:
        print("SKIPPED")
        return
    assert built.returncode == 0, "scripts/install-pgvector failed"
    source = s.server({"extension_destdir": f"'{built.stdout.strip()}'"})
    source.sql("CREATE EXTENSION vector;" + TABLE + ROWS.format(base=0))
    target = s.target()
    if s.case == "postgres":
        target.query("CREATE EXTENSION vector")
    options = ["--name", "vectors", "-t", "items"]
    s.sync_until_caught_up(source.uri(), target, *options)
    same(s, source, target)
    source.sql(ROWS.format(base=1000) + "UPDATE items SET embedding = '[9,9,9.5]' WHERE id % 7 = 0; DELETE FROM items WHERE id % 5 = 0;"
               "UPDATE items SET id = id + 5000 WHERE id % 11 = 0")
    s.sync_until_caught_up(source.uri(), target, *options)
    same(s, source, target)
    if s.case == "duckdb":
        types = target.types("public", "items")
        assert types["embedding"] == "FLOAT[3]" and types["half"] == "FLOAT[4]" and types["free"] == "FLOAT[]", types


scenario.run(main, cases=scenario.SINKS)
