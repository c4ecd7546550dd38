#!/bin/sh
# Keeps a schema of Snowflake in step with a database, until it is interrupted; run again, it goes on where it was:
#
#   PGCONVOY_SNOWFLAKE_KEY_FILE=rsa_key.p8 examples/snowflake.sh postgres://localhost/shop LOADER@myorg-account SHOP PUBLIC LOADING
#
# docs/sinks/snowflake.md says what the user's role needs, and what has not been tried against the real service.
set -eu
[ $# -ge 4 ] || { echo "usage: $0 SOURCE USER@ACCOUNT DATABASE SCHEMA [WAREHOUSE]" >&2; exit 2; }
target="snowflake://$2/$3/$4${5:+?warehouse=$5}"

# What would stop it is said before anything is made.
pgconvoy check "$1" "$target"
exec pgconvoy sync "$1" "$target"
