#!/bin/sh
# The command without a server: exit statuses, what is said and where, and that docs/commands.md is what the options' rows say.
#   test_command_line.sh PGCONVOY TOP
pgconvoy=$(realpath "$1")
top=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export XDG_STATE_HOME="$scratch/state"
failed=0

fail() {
    echo "FAILED: $1"
    sed 's/^/    /' "$scratch/err"
    failed=1
}

# refuses STATUS WORDS ARGUMENT…: one line on standard error, nothing on standard output
refuses() {
    status=$1 words=$2
    shift 2
    timeout 20 "$pgconvoy" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    got=$?
    [ "$got" = "$status" ] || fail "exit status $got, not $status: $*"
    [ "$(wc -l <"$scratch/err")" = 1 ] || fail "not one line: $*"
    grep -q "^pgconvoy: error: .*$words" "$scratch/err" || fail "'$words' is not in it: $*"
    [ ! -s "$scratch/out" ] || fail "something on standard output: $*"
}

# says WORDS ARGUMENT…: status 0, on standard output
says() {
    words=$1
    shift
    timeout 20 "$pgconvoy" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || fail "exit status $?: $*"
    grep -qF -e "$words" "$scratch/out" || fail "'$words' is not in it: $*"
    [ ! -s "$scratch/err" ] || fail "something on standard error: $*"
}

says 'pgconvoy 0.' --version
says 'sync SOURCE TARGET' --help
says 'duckdb:FILE' --help
for command in sync copy stream; do
    says '--if-exists error|append|truncate|drop' $command --help
    says '--progress' --help $command
    refuses 2 'takes SOURCE TARGET' $command
    refuses 2 'takes SOURCE TARGET' $command host=nowhere
    refuses 2 'takes SOURCE TARGET' $command host=nowhere - third
done
says '--json' status --help

refuses 2 'no command'
refuses 2 'no command "nonsense"' nonsense host=nowhere -
refuses 2 'not known' sync --no-such-option host=nowhere -
refuses 2 'not known' sync -Q host=nowhere -
refuses 2 'needs a value' sync host=nowhere - --memory
for pair in memory=much memory=1kB jobs=0 jobs=4x until=tomorrow if-exists=perhaps progress=loud name='a b' log-format=xml partitions=some; do
    refuses 2 "cannot be" sync host=nowhere - "--${pair%%=*}" "${pair#*=}"
done
refuses 2 'no sink for targets that start with "mysql:"' sync host=nowhere mysql://user:secret@host/db
refuses 2 'not in this version' sync host=nowhere kafka://host/topic
refuses 2 '' sync 'postgres://host/db?nonsense=1' -
refuses 2 'takes no option --jobs' -j 2 dump db
refuses 1 'not in this version' serve
refuses 2 'check takes SOURCE' check
refuses 2 'sample cannot be' plan host=nowhere --sample long
refuses 2 'takes no option --with' link host=a host=b --with origin=none
refuses 2 'no item "nothing"' check host=nowhere --skip-check nothing
refuses 1 'cannot read' sync --config "$scratch/nothing" host=nowhere -
echo 'nonsense: 1' >"$scratch/config"
refuses 2 'line 1' sync --config "$scratch/config" host=nowhere -
refuses 1 'cannot connect.*; ' sync "host=$scratch dbname=d" -
refuses 1 'nothing is known' drop nobody
refuses 1 'nothing is known' status nobody
refuses 1 'nothing is known' status nobody --json
refuses 2 'takes NAME' drop
says 'no pipelines' status
says '{"pipelines":[]}' status --json
[ ! -e "$XDG_STATE_HOME/pgconvoy" ] || fail 'a folder was made though nothing was moved'

# help into a closed standard output
"$pgconvoy" --help >&- 2>"$scratch/err"
[ $? = 1 ] || fail 'help into a closed standard output'

# the error as JSON
"$pgconvoy" sync "host=$scratch" - --log-format json 2>"$scratch/err" >/dev/null
tail -n 1 "$scratch/err" | grep -q '^{"time":"[^"]*","level":"error","message":".*"hint":".*}$' || fail 'the error is no JSON'

# a password is neither in what is said nor, after a moment, in the list of processes; the server is one that never answers
python3 -c 'import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1] + "/.s.PGSQL.5432")
server.listen()
time.sleep(20)' "$scratch" &
server=$!
while [ ! -S "$scratch/.s.PGSQL.5432" ]; do sleep 0.05; done
"$pgconvoy" sync "postgres://u:topsecret@/db?host=$scratch&sslpassword=topsecret" - >"$scratch/out" 2>"$scratch/err" &
pid=$!
sleep 0.5
tr '\0' '\n' <"/proc/$pid/cmdline" >"$scratch/cmdline"
grep -q 'u:xxxxxxxxx@' "$scratch/cmdline" || fail 'the command line is not there, masked'
if grep -q topsecret "$scratch/cmdline"; then fail 'the password is in the list of processes'; fi
kill $server
wait $pid
if grep -q topsecret "$scratch/err"; then fail 'the password was said'; fi

# docs/commands.md holds the tables that the rows make
: >"$scratch/err"
"$pgconvoy" --help-markdown >"$scratch/tables"
sed -n '/^<!-- made by pgconvoy --help-markdown -->$/,/^<!-- end -->$/p' "$top/docs/commands.md" | sed '1d;$d' >"$scratch/documented"
if ! diff "$scratch/documented" "$scratch/tables"; then
    fail 'docs/commands.md is not what pgconvoy --help-markdown says: run scripts/update-docs'
fi
# and each sink has its page
for sink in $(sed -n 's/^sinks = \[\(.*\)\]$/\1/p' "$top/src/sink/meson.build" | tr -d "',"); do
    [ -f "$top/docs/sinks/$sink.md" ] || fail "docs/sinks/$sink.md is missing"
done

[ $failed = 0 ] && echo 'all hold'
exit $failed
