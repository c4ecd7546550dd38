"""Those that a change stream is measured beside: the server's decoder with nobody behind it, and PostgreSQL's own subscription."""
import os
import subprocess
import time

from server import client

PUBLICATION = "bench"


def create_slot(source, name):
    source.sql(f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')")


def receive(source, slot, end):
    """pg_recvlogical until the end of the load: the floor."""
    subprocess.run([client("pg_recvlogical"), "-d", source.socket_conninfo(), "--slot", slot, "--start", "-f", os.devnull, "--endpos", end,
                    "-o", "proto_version=1", "-o", f"publication_names={PUBLICATION}"], check=True, stderr=subprocess.DEVNULL)


def prepare_subscription(s, source, name, target_server=None):
    """A disabled subscription on a slot of its own, into a database that holds what the slot's position has."""
    target = s.target("postgres", target_server, name=name)
    s.pgconvoy("copy", source.socket_conninfo(), target.uri, "--publication", PUBLICATION).ok(900)
    create_slot(source, name)
    target.query(f"CREATE SUBSCRIPTION {name} CONNECTION '{source.socket_conninfo()}' PUBLICATION {PUBLICATION} "
                 f"WITH (create_slot = false, slot_name = '{name}', copy_data = false, enabled = false)")
    return target


def enable(name, target):
    target.query(f"ALTER SUBSCRIPTION {name} ENABLE")


def wait_until_confirmed(source, slot, end):
    """One session looks; a program started for each look would take time from those that are measured."""
    source.sql(f"DO $$ BEGIN WHILE (SELECT confirmed_flush_lsn < '{end}' FROM pg_replication_slots WHERE slot_name = '{slot}') "
               "LOOP PERFORM pg_sleep(0.02); END LOOP; END $$")


def subscribe(source, name, target, end):
    """Until the slot has confirmed the load's end."""
    enable(name, target)
    wait_until_confirmed(source, name, end)


def unsubscribe(source, name, target):
    target.query(f"ALTER SUBSCRIPTION {name} DISABLE")
    target.query(f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
    target.query(f"DROP SUBSCRIPTION {name}")
    while source.sql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{name}'") == "t":
        time.sleep(0.05)
