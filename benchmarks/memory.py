"""How much memory this process has needed."""

import re
import resource
from pathlib import Path

PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def peak():
    """Return megabytes. Linux tells those of this program alone, `getrusage` also those of what started it."""
    status = Path("/proc/self/status")
    found = PEAK.search(status.read_text()) if status.exists() else None
    kilobytes = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 1024
