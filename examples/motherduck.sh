#!/bin/sh
# Keeps a database of MotherDuck in step with a database, until it is interrupted; run again, it goes on where it was:
#
#   MOTHERDUCK_TOKEN=… examples/motherduck.sh postgres://localhost/shop shop
#
# docs/sinks/motherduck.md says what it needs, and what has not been tried against the real service.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 SOURCE DATABASE" >&2; exit 2; }
exec pgconvoy sync "$1" "md:$2"
