#!/bin/sh
# Keeps a database of ClickHouse in step with a database of PostgreSQL, until it is interrupted; run again, it goes on where it was:
#
#   CLICKHOUSE_PASSWORD=… examples/clickhouse.sh postgres://localhost/shop localhost:8123 shop
#
# The current rows of table users are then in view users_current of the database shop, which must be there; docs/sinks/clickhouse.md has the rest.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 SOURCE HOST:PORT DATABASE" >&2; exit 2; }
exec pgconvoy sync "$1" "clickhouse://${CLICKHOUSE_USER:-default}@$2/$3"
