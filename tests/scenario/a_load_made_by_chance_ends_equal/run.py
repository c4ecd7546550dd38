#!/usr/bin/env python3
"""tests/load/load_test.py for some seconds: random tables and transactions, pgconvoy killed and servers restarted; equal at the end.

SCENARIO_SCALE=60 makes it ten minutes.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../load"))
import load_test
import scenario


def main(s):
    load_test.play(s, s.seed, 6 * scenario.SCALE, 20)


scenario.run(main)
