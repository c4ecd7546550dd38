#!/bin/sh
# The dump command without a server, under both of its names: what pg_dump refuses is refused with pg_dump's words and status 1.
#   test_dump_line.sh PGCONVOY
pgconvoy=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PGHOST="$scratch"
ln -s "$pgconvoy" "$scratch/pg_dump"
failed=0

fail() {
    echo "FAILED: $1"
    sed 's/^/    /' "$scratch/err"
    failed=1
}

run() {
    timeout 20 "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    got=$?
}

# refuses WORDS ARGUMENT…: status 1, "pg_dump: error: WORDS", nothing on standard output; by both names the same
refuses() {
    words=$1
    shift
    run "$pgconvoy" dump "$@"
    [ "$got" = 1 ] || fail "exit status $got: $*"
    grep -qF -e "pg_dump: error: $words" "$scratch/err" || fail "'$words' is not in it: $*"
    [ ! -s "$scratch/out" ] || fail "something on standard output: $*"
    mv "$scratch/err" "$scratch/first"
    run "$scratch/pg_dump" "$@"
    [ "$got" = 1 ] && cmp -s "$scratch/first" "$scratch/err" || fail "not the same as pg_dump: $*"
}

# tries ARGUMENT…: the line is taken, so that only the server is missing
tries() {
    refuses 'connection to server' "$@"
}

refuses 'too many command-line arguments (first is "c")' a c
refuses 'too many command-line arguments (first is "a")' -d b a
refuses 'options -s/--schema-only and -a/--data-only cannot be used together' -s -a
refuses 'options -s/--schema-only and -a/--data-only cannot be used together' -sa
refuses 'options -s/--schema-only and --include-foreign-data cannot be used together' -s --include-foreign-data=x
refuses 'option --include-foreign-data is not supported with parallel backup' -j2 --include-foreign-data=x
refuses 'options -c/--clean and -a/--data-only cannot be used together' -c -a
refuses 'option --if-exists requires option -c/--clean' --if-exists
refuses 'option --on-conflict-do-nothing requires option --inserts, --rows-per-insert, or --column-inserts' --on-conflict-do-nothing
refuses 'parallel backup only supported by the directory format' -j3
refuses '-j/--jobs must be in range 1..' -j '-1 '
refuses 'invalid value "x" for option -j/--jobs' -j x
refuses '--extra-float-digits must be in range -15..3' --extra-float-digits -16
refuses '--rows-per-insert must be in range 1..' --rows-per-insert 0
refuses 'invalid output format "garbage" specified' -F garbage
refuses 'compression is not supported by tar archive format' --compress 1 --format tar
refuses '-Z/--compress must be in range 0..9' -Z -1
refuses 'invalid compression specification' -Fc -Z gzip:nonsense
refuses 'no output directory specified' -Fd
refuses 'unrecognized section name: "middle"' --section middle
refuses 'invalid restrict key' --restrict-key='a b'
refuses 'option --restrict-key can only be used with --format=plain' -Fc --restrict-key=abc

tries
tries db
tries --dbname=db
tries -Fp -Z1
tries --form=c --exclude-s=public --no-own # long options may be shortened
tries -vOxd db
tries --inserts --on-conflict-do-nothing
tries --rows-per-insert=4 --on-conflict-do-nothing
tries -j 2 -Fd -f "$scratch/folder"
[ ! -e "$scratch/folder/toc.dat" ] || fail 'a dump that never was has contents'
tries -f "$scratch/file"
[ ! -e "$scratch/file" ] || fail 'a dump that never was has a file'
for line in --blobs --no-blobs --attribute-inserts --no-acl -R --no-sync --strict-names --statistics --no-policies; do
    tries $line
done

# a filter's lines
for line in 'include table t' '# nothing but this' 'exclude table_data "a b".c # why' 'include foreign_data s' 'exclude schema x*' '  ' \
    'exclude extension e' 'include table_and_children p' 'exclude table_data_and_children p'; do
    echo "$line" >"$scratch/filter"
    tries --filter "$scratch/filter"
done
refuses_filter() {
    printf '%s\n' "$2" >"$scratch/filter"
    refuses "invalid format in filter read from file \"$scratch/filter\" on line 1: $1" --filter "$scratch/filter"
}
refuses_filter 'no filter command found' '!'
refuses_filter 'invalid filter command (expected "include" or "exclude")' 'take table x'
refuses_filter 'missing filter object type' include
refuses_filter 'unsupported filter object type: "tabel"' 'include tabel x'
refuses_filter 'missing object name pattern' 'include table # x'
refuses_filter 'include filter for "table data" is not allowed' 'include table_data x'
refuses_filter 'exclude filter for "foreign data" is not allowed' 'exclude foreign_data x'
refuses 'could not open filter file' --filter "$scratch/nothing"

run "$scratch/pg_dump" --no-such-option
[ "$got" = 1 ] && grep -q '^pg_dump: hint: Try "pg_dump --help" for more information.$' "$scratch/err" || fail 'an unknown option'
run "$scratch/pg_dump" --version
[ "$got" = 0 ] && grep -Eq '^pg_dump \(PostgreSQL\) [0-9]+\.[0-9]+ \(pgconvoy [0-9.]+\)$' "$scratch/out" || fail '--version'
for option in --help '-?'; do
    run "$scratch/pg_dump" "$option"
    [ "$got" = 0 ] && grep -q -e '--load-via-partition-root' "$scratch/out" || fail "pg_dump $option"
    run "$pgconvoy" dump "$option"
    [ "$got" = 0 ] && grep -q '^  pgconvoy dump \[OPTION\]' "$scratch/out" || fail "pgconvoy dump $option"
done

# a password is not said
refuses 'connection to server' "postgres://u:topsecret@/db?host=$scratch"
if grep -q topsecret "$scratch/err"; then fail 'the password was said'; fi

exit $failed
