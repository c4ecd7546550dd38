#!/usr/bin/env python3
"""A target of MotherDuck's without a token, without its extension, or without a database says so. The service itself cannot be had here."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def main(s):
    def check(target, **env):
        run = s.pgconvoy("check", "postgresql://127.0.0.1:1/nowhere", target,
                         env={"HOME": s.folder, "motherduck_token": "", "MOTHERDUCK_TOKEN": "", "https_proxy": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", **env})
        assert run.wait() != 0
        return run.stdout + run.stderr

    text = check("md:shop")
    assert "there is no token for MotherDuck" in text and "MOTHERDUCK_TOKEN" in text, text
    secret = "eyJhbGciOiJub25lIn0.secret"
    text = check("md:shop", MOTHERDUCK_TOKEN=secret)
    assert "extension" in text and "md:shop cannot be opened" in text and "INSTALL motherduck" in text, text
    assert secret not in text, text
    text = check("md:", MOTHERDUCK_TOKEN=secret)
    assert "names no database" in text, text


scenario.run(main)
