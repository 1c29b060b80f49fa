"""Servers on loopback in processes of their own, so that their work is nobody's figure."""

import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


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


@contextmanager
def served(kind):
    """Give the address of a server of that kind, which ends with the block, or with this process."""
    command = [sys.executable, "-m", __name__, kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


if __name__ == "__main__":
    print({"plain": plain, "emulator": emulator}[sys.argv[1]](), flush=True)
    sys.stdin.read()
