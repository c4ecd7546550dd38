"""What takes servers of other kinds to be broken: other majors, programs that lack an extension, a lost slot, a small disk, a network, a standby."""
import os
import re
import shutil
import subprocess

import scenario
from checked import Checked, apply


def others(s, source, target):
    """What other servers and disks can have against it."""
    majors(s, target)
    too_old(s)
    lost_slot(s)
    no_senders(s)
    managed_roles(s, source)
    too_few_prepared(s, source, target)
    missing_programs(s, source)
    small_disk(s, source)
    network(s, source, target)
    standbys(s)


def every_item_was_broken_and_mended():
    """Of all items of docs/check.md."""
    with open(os.path.join(scenario.TOP, "docs/check.md")) as file:
        items = re.findall(r"^\| `([a-z_]+)` \| (?:source|target) \|", file.read(), re.M)
    assert len(items) > 40, items
    unseen = set() if os.geteuid() == 0 else {"disk_space"}
    left = [item for item in items if Checked.states.get(item) != "mended" and item not in unseen]
    assert not left, f"not seen broken, named and mended: {left}"


def majors(s, target):
    """Of 18, of those before it, and of one that cannot leave out rows."""
    newest = s.server({"idle_replication_slot_timeout": "1min"}, scenario.embedded_postgres(18))
    newest.sql("CREATE TABLE t (id int PRIMARY KEY)")
    apply(newest, Checked(s, newest.uri(), status=0).names("idle_replication_slot_timeout", "warned", "1min"))
    scenario.wait_for(lambda: newest.sql("SHOW idle_replication_slot_timeout") == "0", 20, "the setting is read")
    Checked(s, newest.uri(), status=0).passes("idle_replication_slot_timeout")
    found = Checked(s, newest.uri(), target.uri("copy"))
    found.names("versions", "warned", "older than the source", "upgrade the target")
    newest.create_database("copy")
    Checked(s, newest.uri(), newest.uri("copy")).passes("versions")
    Checked(s, target.uri("copy"), newest.uri(), "--for", "copy").passes("versions")
    # every query is understood by every server
    for major in (13, 14, 16):
        server = s.server({}, scenario.embedded_postgres(major))
        server.create_database("shop", "CREATE TABLE item (id int PRIMARY KEY, name text)")
        server.create_database("copy")
        ends = [server.uri("shop"), server.uri("copy")]
        for job in ("sync", "stream", "copy", "subscribe", "link"):
            found = Checked(s, *ends, "--for", job)
            assert found.document["unchecked"] == 0 or list(found.document["items"]) and all(
                item["item"] == "target_reaches_source" for item in found.document["items"] if item["status"] == "unchecked"), f"{major}, {job}: {found.text()}"
        if major == 14:
            for option in (["--columns", "public.item=id"], ["--where", "public.item=id > 3"]):
                Checked(s, *ends, *option, status=3).names("columns_and_rows", "failed", ["public.item", "PostgreSQL 14"], "leave it out")
            Checked(s, *ends, "--two-phase").names("two_phase", "failed", "PostgreSQL 14", "leave out --two-phase")
            Checked(s, *ends, status=0).passes("columns_and_rows", "two_phase")
        server.stop()


def too_old(s):
    """A source of 11 is refused, by check and by what would begin; its own upgrade is the mend."""
    for major, level in ((11, "failed"), (12, "passed")):
        server = s.server({}, scenario.embedded_postgres(major))
        server.create_database("shop", "CREATE TABLE item (id int PRIMARY KEY)")
        server.create_database("copy")
        ends = [server.uri("shop"), server.uri("copy")]
        found = Checked(s, *ends)
        if level == "failed":
            found.names("source_version", "failed", ["PostgreSQL 11.", "12 to 18"], "upgrade the source to 12 or later")
            for command in ("sync", "copy"):
                s.pgconvoy(command, *ends).fails(1, [" 11", " 12 "])
            scenario.Scenario.nothing_left(server, database="shop")
        else:
            found.passes("source_version")
            assert found.document["unchecked"] == 0, found.text()
        server.stop()


def lost_slot(s):
    """A slot that is about to lose its WAL, and one that has lost it."""
    lost = s.server({"max_slot_wal_keep_size": "1GB", "min_wal_size": "32MB"})  # no checkpoint but ours
    lost.sql("CREATE TABLE t (id int PRIMARY KEY, x text); SELECT pg_create_logical_replication_slot('behind', 'pgoutput')")
    grow = "INSERT INTO t SELECT coalesce(max(id), 0) + 1, repeat('x', 100000) FROM t; SELECT pg_switch_wal();"
    for _ in range(3):
        lost.sql(grow)
    lost.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'; SELECT pg_reload_conf()")
    scenario.wait_for(lambda: lost.sql("SELECT wal_status FROM pg_replication_slots") == "unreserved", 20, "nothing keeps its WAL")
    assert "max_slot_wal_keep_size" in Checked(s, lost.uri(), "--slot", "behind", status=0).names("slot_is_valid", "warned", ["behind", "unreserved"])[0]
    lost.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'; SELECT pg_reload_conf()")
    scenario.wait_for(lambda: lost.sql("SHOW max_slot_wal_keep_size") == "1GB", 20, "the setting is read")
    Checked(s, lost.uri(), "--slot", "behind", status=0).passes("slot_is_valid")
    lost.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'; SELECT pg_reload_conf()")
    for _ in range(6):
        lost.sql(grow + "CHECKPOINT")
    apply(lost, Checked(s, lost.uri(), "--slot", "behind", status=3).names("slot_is_valid", "failed", "behind"))
    Checked(s, lost.uri(), "--slot", "behind", status=0).passes("slot_is_valid")
    lost.stop()


def no_senders(s):
    """All WAL senders at work."""
    server = s.server({"max_wal_senders": "1"})
    server.sql("CREATE TABLE t (id int PRIMARY KEY)")
    reader = s.pgconvoy("sync", server.uri(), "-", "--name", "first")
    scenario.wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1", 30, "it streams")
    apply(server, Checked(s, server.uri(), status=3).names("max_wal_senders", "failed", "1 of 1"))
    assert reader.stop() == 0, reader.error_tail()
    server.restart()
    Checked(s, server.uri(), status=0).passes("max_wal_senders")
    server.stop()


def managed_roles(s, source):
    """The roles by which managed services give what is a superuser's elsewhere."""
    source.create_database("managed", "CREATE TABLE item (id int PRIMARY KEY)")
    source.sql("CREATE ROLE guest LOGIN; GRANT CREATE ON DATABASE managed TO guest")
    source.sql("ALTER TABLE item OWNER TO guest", "managed")
    for role in ("rds_replication", "rds_superuser", "cloudsqlsuperuser", "alloydbsuperuser", "azure_pg_admin"):
        source.sql(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role}")
        Checked(s, source.uri("managed", user="guest"), status=3).names("replication_privilege", "failed", "guest")
        source.sql(f"GRANT {role} TO guest")
        found = Checked(s, source.uri("managed", user="guest"), status=0)
        found.passes("replication_privilege")
        found.names("ddl_capture", "warned", "guest") if role == "rds_replication" else found.passes("ddl_capture")
        source.sql(f"DROP ROLE {role}")


def too_few_prepared(s, source, target):
    """A target that has no place for prepared transactions, or too few, of a pipeline that takes them as they are prepared."""
    ends = [source.uri("shop"), target.uri("copy"), "--two-phase"]
    for places, level in ((0, "failed"), (2, "warned")):
        target.sql(f"ALTER SYSTEM SET max_prepared_transactions = {places}")
        target.restart()
        apply(target, Checked(s, *ends).names("max_prepared_transactions", level, [f"is {places}, and 5 at"]))
        target.restart()
        Checked(s, *ends).passes("max_prepared_transactions")


def missing_programs(s, source):
    """A target whose server was installed without the extensions that are needed."""
    home = os.path.join(s.folder, "bare-programs")
    shutil.copytree(os.path.dirname(scenario.embedded_postgres(17)), home, symlinks=True)
    place = os.path.join(home, "share/postgresql/extension")
    for name in ("hstore", "postgres_fdw"):
        os.rename(os.path.join(place, name + ".control"), os.path.join(place, name + ".kept"))
    target = s.server({}, os.path.join(home, "bin"))
    source.create_database("extended", "CREATE EXTENSION hstore; CREATE TABLE t (id int PRIMARY KEY, h hstore); CREATE TABLE plain (id int PRIMARY KEY)")
    target.create_database("extended")
    ends = [source.uri("extended"), target.uri("extended")]
    for job in ("sync", "copy", "subscribe", "link"):
        Checked(s, *ends, "--for", job, status=3).names("extensions", "failed", "server does not have the extension hstore", "install it on the target's server")
    Checked(s, *ends, "--for", "link", status=3).names("link_extension", "failed", "does not have the extension postgres_fdw", "install it there")
    s.pgconvoy("copy", *ends).fails(1, "hstore")
    s.pgconvoy("link", *ends).fails(1, "hstore")
    s.pgconvoy("link", *ends, "-t", "plain").fails(1, "postgres_fdw")
    for name in ("hstore", "postgres_fdw"):
        os.rename(os.path.join(place, name + ".kept"), os.path.join(place, name + ".control"))
    target.sql("CREATE EXTENSION hstore", "extended")
    for job in ("subscribe", "link"):
        Checked(s, *ends, "--for", job).passes("extensions", *(["link_extension"] if job == "link" else []))
    target.stop()


def small_disk(s, source):
    """A disk that is too small, and a larger one."""
    if os.geteuid() != 0:
        return print("a small disk can be mounted by root alone")
    with scenario.mounted(os.path.join(s.folder, "small"), "size=1m") as small:
        source.create_database("large", "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i")
        Checked(s, source.uri("large"), "duckdb:" + os.path.join(small, "x.duckdb"), status=3).names("disk_space", "failed", "are free in", "on a larger disk")
    Checked(s, source.uri("large"), "duckdb:" + os.path.join(s.folder, "x.duckdb"), status=0).passes("disk_space")


def network(s, source, target):
    """A connection over the network without TLS."""
    address = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    assert address, "this machine has no address besides its loopback"
    for server in (source, target):
        tls(server)
    far, away = [server.uri(name).replace("127.0.0.1", address[0]) for server, name in ((source, "shop"), (target, "copy"))]
    found = Checked(s, far + "?sslmode=disable", away + "?sslmode=disable")
    found.names("source_tls", "warned", address[0], "sslmode=require")
    found.names("target_tls", "warned", address[0], "sslmode=require")
    Checked(s, far + "?sslmode=require", away + "?sslmode=require").passes("source_tls", "target_tls")
    Checked(s, source.uri("shop")).passes("source_tls")


def tls(server):
    """The server listens on the network, and has a certificate."""
    files = [os.path.join(server.data, name) for name in ("server.key", "server.crt")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    for file in files:
        os.chmod(file, 0o600)
        subprocess.run(["chown", "--reference", server.data, file], check=True)
    server.sql("ALTER SYSTEM SET listen_addresses = '*'; ALTER SYSTEM SET ssl = on")
    with open(os.path.join(server.data, "pg_hba.conf"), "a") as file:
        file.write("host all all 0.0.0.0/0 trust\n")
    server.restart()


def standbys(s):
    """A standby is no source before 16, and then one with a publication of its primary's; never a target."""
    for major in (15, 16):
        primary = s.server({}, None if major == 15 else scenario.embedded_postgres(major))
        primary.sql("CREATE TABLE t (id int PRIMARY KEY)")
        standby = s.standby(primary)
        ends = [standby.uri(), "duckdb:" + os.path.join(s.folder, f"{major}.duckdb")]
        mends = Checked(s, *ends, status=3).names("source_standby", "failed", "since PostgreSQL 16" if major == 15 else "without publication")
        if major == 15:
            assert mends == ["connect to the primary"]
        else:
            apply(primary, mends)
            scenario.wait_for(lambda: standby.publications(), 30, "the publication is on the standby")
            Checked(s, *ends).passes("source_standby")
        Checked(s, primary.uri()).passes("source_standby")
        Checked(s, primary.uri(), standby.uri()).names("target_read_only", "failed", "is a standby")
        standby.stop()
        primary.stop()
