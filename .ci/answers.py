"""Print the seconds until a server answers 200, then on each path: answers.py PID SITE PATH..."""

import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

LIMIT = 120  # seconds


def answers(url):
    try:
        with urlopen(url, timeout=10) as answer:
            return answer.status == 200
    except URLError:
        return False


def main(pid, site, *paths):
    began = time.monotonic()
    while not answers(site + paths[0]):
        if time.monotonic() - began > LIMIT or not Path(f"/proc/{pid}").exists():
            sys.exit("the server does not answer")
        time.sleep(0.05)
    seconds = time.monotonic() - began
    silent = [path for path in paths if not answers(site + path)]
    if silent:
        sys.exit(f"no 200 from {silent}")
    print(f"{seconds:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
