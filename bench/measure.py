"""What the benches share: a server as the ones we compare with are measured, timing with CPU and memory, and a table of results."""
import os
import resource
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/lib"))
import scenario  # noqa: F401  (its Scenario gives the scratch folder and the servers)

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "16GB", "autovacuum": "off", "max_parallel_workers_per_gather": "0"}


class Measured:
    def __init__(self, seconds, cpu, peak_bytes=None):
        self.seconds = seconds
        self.cpu = cpu
        self.peak_bytes = peak_bytes


def timed(function):
    """Runs function() and measures it with the CPU time of the children it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    run = function()
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(seconds, cpu, getattr(run, "peak_rss", None) if run is not None else None)


class Table:
    """Results as they come; the first is the floor that the others are compared with. The median of the runs counts."""

    def __init__(self, title):
        print(f"\n{title}\n  {'what':<44}{'seconds':>9}{'ratio':>8}{'CPU s':>8}{'peak MB':>9}", flush=True)
        self.floor = None

    def add(self, what, measurements):
        seconds = statistics.median(measured.seconds for measured in measurements)
        cpu = statistics.median(measured.cpu for measured in measurements)
        peaks = [measured.peak_bytes for measured in measurements if measured.peak_bytes]
        self.floor = self.floor or seconds
        print(f"  {what:<44}{seconds:>9.2f}{seconds / self.floor:>8.2f}{cpu:>8.2f}"
              f"{max(peaks) / 1048576 if peaks else 0:>9.0f}", flush=True)
        return seconds / self.floor


def scratch():
    """A Scenario, on the disk that TMPDIR names."""
    print(f"scratch folder below {tempfile.gettempdir()}, {os.cpu_count()} cores; look at ratios, not seconds")
    return scenario.Scenario()
