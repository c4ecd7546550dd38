"""The commands of docs/guides/, for the tests that run them as they stand."""
import os
import re

from command import PGCONVOY
from server import TOP, client


def commands(guide, prompts="$"):
    """[(prompt, command)] of its console blocks, in order: `$ ` is anybody's, `# ` the server's own user's."""
    with open(os.path.join(TOP, "docs/guides", guide)) as file:
        blocks = re.findall(r"^```console\n(.*?)^```", file.read(), re.M | re.S)
    return [(line[0], line[2:]) for block in blocks for line in block.split("\n") if line[:1] in prompts and line[1:2] == " "]


def environment(s):
    """That of somebody who has pgconvoy and psql in the path, with a scenario's state folder."""
    programs = os.path.join(s.folder, "programs")
    os.mkdir(programs)
    os.symlink(PGCONVOY, os.path.join(programs, "pgconvoy"))
    os.symlink(client("psql"), os.path.join(programs, "psql"))
    return {**os.environ, "PATH": programs + ":" + os.environ["PATH"], "XDG_STATE_HOME": s.state}
