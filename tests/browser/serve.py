"""Serves the demo with a clock that can be moved: each line on stdin says by how many seconds."""

import sys
import threading
from datetime import UTC, datetime

import time_machine
from django.core.management import execute_from_command_line


def obey(clock):
    for line in sys.stdin:
        clock.shift(float(line))
        print("moved", flush=True)


if __name__ == "__main__":
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        threading.Thread(target=obey, args=[clock], daemon=True).start()
        execute_from_command_line(["manage.py", "demo", "--port", sys.argv[1]])
