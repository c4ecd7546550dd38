#!/bin/sh
# Keeps a dataset of BigQuery in step with a database, until it is interrupted; run again, it goes on where it was:
#
#   GOOGLE_APPLICATION_CREDENTIALS=account.json examples/bigquery.sh postgres://localhost/shop my-project shop EU
#
# docs/sinks/bigquery.md says which roles the account needs, and what has not been tried against the real service.
set -eu
[ $# -ge 3 ] || { echo "usage: $0 SOURCE PROJECT DATASET [LOCATION]" >&2; exit 2; }
target="bigquery://$2/$3${4:+?location=$4}"

# What would stop it is said before anything is made.
pgconvoy check "$1" "$target"
exec pgconvoy sync "$1" "$target"
