"""Data directories for the servers of tests. `initdb` takes ten times as long as a copy of what it leaves, and a run of all tests has hundreds of servers: so it
runs once for each version and set of options, and a server gets a copy, with a system identifier of its own, as a new database cluster has.
"""
import hashlib
import os
import secrets
import shutil
import struct
import subprocess

CRC_FROM = 200  # the checksum of pg_control stands behind all that PostgreSQL 12 to 18 keep there, at another place in each
WAL_SYSTEM_AT = 24  # in the header of a WAL file's first page (XLogLongPageHeaderData)


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC32C = _crc32c_table()


def _checksum(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xFF]
    return struct.pack("=I", crc ^ 0xFFFFFFFF)


def _checksum_place(control):
    """Where pg_control has the checksum of all that comes before it."""
    for at in range(CRC_FROM, 512, 4):  # it is one sector of a disk
        if control[at:at + 4] == _checksum(control[:at]):
            return at
    raise RuntimeError("pg_control has no checksum where one is known")


def _overwrite(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def give_identifier(data):
    """A system identifier of its own, in pg_control and in the WAL, whose files say of which system they are. The server must not run."""
    control_path = os.path.join(data, "global/pg_control")
    with open(control_path, "rb") as file:
        control = file.read()
    place = _checksum_place(control)
    old, new = control[:8], struct.pack("=Q", secrets.randbits(62) | 1)
    _overwrite(control_path, 0, new)
    _overwrite(control_path, place, _checksum(new + control[8:place]))
    for name in os.listdir(os.path.join(data, "pg_wal")):
        path = os.path.join(data, "pg_wal", name)
        if len(name) == 24:
            with open(path, "rb") as file:
                header = file.read(WAL_SYSTEM_AT + 8)
            if header[WAL_SYSTEM_AT:] != old:
                raise RuntimeError(f"{path} is not of the system that pg_control names")
            _overwrite(path, WAL_SYSTEM_AT, new)


def _name(binaries, options):
    """Of the data directory that these programs make with these options for this user; other programs have other sizes or times."""
    program = os.stat(os.path.join(binaries, "postgres"))
    return hashlib.sha256(repr((program.st_size, program.st_mtime_ns, os.geteuid(), options)).encode()).hexdigest()[:24]


def make(data, binaries, options, run, kept, owner=None):
    """The data directory `data`: run("initdb", …) makes the first with these programs and options, which is kept in the folder `kept`; the others are copies,
    of the user `owner` where this process may give them away (who has what is kept depends on who copied that)."""
    known = os.path.join(kept, _name(binaries, options))
    if not os.path.exists(known):
        run("initdb", "-D", data, *options)
        os.makedirs(kept, exist_ok=True)
        copy = f"{known}.{os.getpid()}.{secrets.token_hex(4)}"
        subprocess.run(["cp", "-a", data, copy], check=True)
        try:
            os.rename(copy, known)
        except OSError:  # another test was sooner
            shutil.rmtree(copy)
        return
    subprocess.run(["cp", "-a", "--reflink=auto", known, data], check=True)
    if owner:
        subprocess.run(["chown", "-R", owner, data], check=True)
    give_identifier(data)
