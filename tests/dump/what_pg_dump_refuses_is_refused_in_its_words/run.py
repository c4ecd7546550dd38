#!/usr/bin/env python3
"""What the stock pg_dump and pg_restore refuse before they do anything, ours refuse with the same status and the same words: unknown options, values that make no sense, and
combinations. With DUMP_FULL=1 every pair of options is tried."""
import concurrent.futures
import itertools
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from command import PGCONVOY
from server import TOP

# Of each option what it is given with; pairs are made of these.
DUMP = ["-a", "-b", "-B", "-c", "-C", "-e x", "-E utf8", "-Fc", "-Fd", "-Ft", "-Fp", "-j2", "-n x", "-N x", "-O", "-s", "-S x", "-t x", "-T x", "-x", "-Z0", "-Z9", "-Z lz4",
        "--binary-upgrade", "--column-inserts", "--disable-dollar-quoting", "--disable-triggers", "--enable-row-security", "--exclude-extension=x", "--exclude-table-data=x",
        "--extra-float-digits=1", "--if-exists", "--include-foreign-data=x", "--inserts", "--load-via-partition-root", "--lock-wait-timeout=1", "--no-comments", "--no-data",
        "--no-policies", "--no-publications", "--no-schema", "--no-security-labels", "--no-statistics", "--no-subscriptions", "--no-sync", "--no-tablespaces",
        "--on-conflict-do-nothing", "--quote-all-identifiers", "--restrict-key=k", "--rows-per-insert=2", "--section=data", "--sequence-data", "--serializable-deferrable",
        "--snapshot=x", "--statistics", "--statistics-only", "--strict-names", "--sync-method=fsync", "--use-set-session-authorization", "--role=x", "-w"]
RESTORE = ["-a", "-c", "-C", "-d x", "-e", "-f -", "-Fc", "-I x", "-j2", "-l", "-n x", "-N x", "-O", "-P x", "-s", "-S x", "-t x", "-T x", "-x", "-1", "--disable-triggers",
           "--enable-row-security", "--if-exists", "--no-comments", "--no-data", "--no-data-for-failed-tables", "--no-policies", "--no-publications", "--no-schema",
           "--no-security-labels", "--no-statistics", "--no-subscriptions", "--no-table-access-method", "--no-tablespaces", "--restrict-key=k", "--section=data", "--statistics",
           "--statistics-only", "--strict-names", "--transaction-size=2", "--use-set-session-authorization", "-w"]

# What is documented to be refused, and values.
DUMP_REFUSED = ["--nothing", "-y", "-j0", "-j x", "-j", "-Fx", "-F", "x y", "-Z x", "-Z gzip:x", "-Z gzip:10", "-Z zstd:level=99", "-Z none:1", "-Z lz4:level=1,level", "-Z gzip:long",
                "-Z gzip:workers=1", "--section=x", "--rows-per-insert=0", "--rows-per-insert=x", "--extra-float-digits=4", "--extra-float-digits=-16", "--sync-method=x",
                "--restrict-key=a.b", "--restrict-key=", "--restrict-key=k -Fc", "--filter=/nothing/here", "--jobs", "--version=1", "--no", "--exclude-table-d=x", "-j2", "-j2 -Fc",
                "-Fd", "-Ft -Z1", "-a -c", "-a -s", "-s --statistics-only", "-a --statistics-only", "-s --no-schema", "-a --no-data", "--statistics-only --no-statistics",
                "--statistics --no-statistics", "-s --statistics", "-a --statistics", "-s --include-foreign-data=x", "-j2 -Fd -f out --include-foreign-data=x", "--if-exists", "--on-conflict-do-nothing",
                "--on-conflict-do-nothing --if-exists", "--no-schema --no-data", "-a --no-schema", "-s --no-data", "-a -c -s"]
RESTORE_REFUSED = ["", "--nothing", "-y", "-f - -d x", "-j0", "-j x", "-j", "-Fx -f -", "-Fp -f -", "-Fx", "--section=x -f -", "--transaction-size=0 -f -", "--transaction-size=x -f -",
                   "--restrict-key=a.b -f -", "--restrict-key=k -d x", "--filter=/nothing/here -f -", "-f - -a -s", "-f - -a -c", "-f - -s --statistics-only", "-f - -a --statistics-only",
                   "-f - -s --no-schema", "-f - -a --no-data", "-f - --statistics-only --no-statistics", "-f - --statistics --no-statistics", "-f - -s --statistics", "-f - -a --statistics", "-d x -C -1", "-d x -1 -j2",
                   "-d x -1 --transaction-size=2", "-f - --if-exists", "-l --if-exists", "-f - -1 -j2", "-f - x y", "--no -f -", "-f - --no-schema --no-data"]


def said(command, words, archive):
    """Status and words; None for the words when nothing was refused before the server was looked for or the archive was read."""
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, "PGHOST": "/nothing/here", "LC_ALL": "C"}
    done = subprocess.run([*command, *words.split(" ", 1 if words.startswith(("-Z ", "-j x")) and words.count(" ") == 1 else -1)] if words else command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, timeout=60, cwd=archive)
    went_on = any(word in done.stderr for word in ("connection to server", "input file is too short", "end of file", "it ends early"))
    text = re.sub(r"(?m)^/\S*/(?=pg_)", "", done.stderr) # getopt's words begin with the path
    return done.returncode, None if went_on else re.sub(r"possibilities: .*", "possibilities", text)


def differences(theirs, ours, lists, folder):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda words: (words, said(theirs, words, folder), said(ours, words, folder)), lists))
    refused = sum(their[1] is not None for _, their, _ in results)
    print(f"{len(results)} command lines, of which {refused} are refused")
    assert refused > len(results) / 20, "hardly any is refused: what is compared?"
    return [f"{words}: theirs {their}\n    ours {our}" for words, their, our in results if their != our]


def main(s):
    fetched = subprocess.run([os.path.join(TOP, "scripts/fetch-pg-dump"), "18"], stdout=subprocess.PIPE, text=True)
    if fetched.returncode == 3:
        print("SKIPPED\npg_dump 18 cannot be had here")
        return
    programs = fetched.stdout.strip()
    names = {"pg_dump": os.path.join(s.folder, "pg_dump"), "pg_restore": os.path.join(s.folder, "pg_restore")}
    for path in names.values():
        os.symlink(PGCONVOY, path)
    full = os.environ.get("DUMP_FULL")
    lists = {"pg_dump": DUMP_REFUSED + [f"{a} {b}" for a, b in itertools.combinations(DUMP, 2) if full],
             "pg_restore": RESTORE_REFUSED + [f"{a} {b}" + (" -f -" if not {a, b} & {"-d x", "-f -", "-l"} else "")
                                             for a, b in itertools.combinations(RESTORE, 2) if full]}
    problems = []
    for name, path in names.items():
        problems += [f"{name} {problem}" for problem in differences([os.path.join(programs, name)], [path], lists[name], s.folder)]
    assert not problems, f"{len(problems)} are answered otherwise:\n" + "\n".join(problems[:40])


scenario.run(main)
