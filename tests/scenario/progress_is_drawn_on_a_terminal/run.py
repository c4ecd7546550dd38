#!/usr/bin/env python3
"""On a terminal the progress is a block that is drawn over itself: a line for each table with rows and the share done, then the stream with its lag. In tmux, as a user
sees it."""
import os
import re
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from command import PGCONVOY
from scenario import wait_for


class Terminal:
    """A terminal of 100 columns and 30 lines in which one command runs."""

    def __init__(self, folder, command):
        self.tmux = ["tmux", "-S", os.path.join(folder, "tmux")]
        subprocess.run([*self.tmux, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", command + "; echo ended $?; sleep 100"], check=True,
                       env={**os.environ, "TERM": "xterm-256color"})

    def screen(self):
        return subprocess.run([*self.tmux, "capture-pane", "-p"], check=True, stdout=subprocess.PIPE, text=True).stdout

    def keys(self, *names):
        subprocess.run([*self.tmux, "send-keys", *names], check=True)

    def close(self):
        subprocess.run([*self.tmux, "kill-server"])


def main(s):
    source = s.server()
    source.pgbench_init(10)
    target = s.target("duckdb")
    words = [PGCONVOY, "sync", "--state-dir", s.state, "--name", "drawn", source.socket_conninfo(), target.uri]
    terminal = Terminal(s.folder, shlex.join(words))
    seen = []

    def shows(pattern):
        screen = terminal.screen()
        seen[:] = [screen]
        return re.search(pattern, screen)

    try:
        wait_for(lambda: shows(r"pgbench_accounts .*\d+ ?%"), 60, "a table's share is shown")
        wait_for(lambda: shows(r"(?i)lag"), 60, "the stream's lag is shown")
        source.pgbench("-t", "50")
        wait_for(lambda: shows(r"\b(2\d\d|[3-9]\d\d|1,\d\d\d) changes"), 60, "the changes are counted")
        screen = terminal.screen()
        # drawn over itself, not line after line
        assert len(re.findall("pgbench_accounts", screen)) <= 2, screen
        terminal.keys("C-c")
        wait_for(lambda: shows(r"ended 0"), 60, "it ends well at ^C")
    except AssertionError as problem:
        raise AssertionError(f"{problem}; the screen was:\n{seen and seen[0]}") from problem
    finally:
        terminal.close()


scenario.run(main)
