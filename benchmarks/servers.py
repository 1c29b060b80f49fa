"""Servers on loopback in processes of their own, so that their work is nobody's figure."""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import uuid4

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Plain(BaseHTTPRequestHandler):
    """Answers every POST alike."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Read and answer a few bytes."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"request_id": "00000000-0000-4000-8000-000000000000"}'
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *told):
        """Say nothing."""


def plain():
    """Serve POST at any path; return the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def emulator():
    """Serve the emulator; return the address."""
    from passwordless.vonage.emulator import Emulator, serve

    return serve(Emulator()).url


def slow(delay="0"):
    """Serve the least of Verify v2, which takes any code for right, after so many seconds; return the address.

    A delay of `inf` never answers. It is one thread, so that much waiting costs little.
    """
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(lambda *ends: _answer(*ends, float(delay)), "127.0.0.1", 0, backlog=512)
    )
    Thread(target=loop.run_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _answer(reader, writer, delay):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            await asyncio.sleep(delay if delay < 3600 else 3600)
            writer.write(_verdict(head.split(b" ", 2)[1].decode()))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _verdict(path):
    request_id = path.removeprefix("/v2/verify").strip("/")
    told = {"request_id": request_id, "status": "completed"} if request_id else {"request_id": str(uuid4())}
    body = json.dumps(told).encode()
    status = "200 OK" if request_id else "202 Accepted"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextmanager
def served(kind, *words):
    """Give the address of a server of that kind, which ends with the block, or with this process."""
    command = [sys.executable, "-m", __name__, kind, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


if __name__ == "__main__":
    kinds = {"plain": plain, "emulator": emulator, "slow": slow}
    print(kinds[sys.argv[1]](*sys.argv[2:]), flush=True)
    sys.stdin.read()
