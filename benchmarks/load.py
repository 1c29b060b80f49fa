"""People at a server on this machine, from one process and one thread: what serving.py starts. An empty line tells
when counting begins, another when it ends.

They log in one after the other, each in a connection of their own, until the time is over; others look at a page
at a fixed rate, and their waiting is counted from when they meant to ask.
"""

import asyncio
import json
import re
import sys
from itertools import count
from time import monotonic, process_time
from urllib.parse import urlencode

from .people import address, number

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
REST = 1.0  # seconds that somebody waits who was refused
PATIENCE = 30.0  # seconds after which an answer is given up


class Visitor:
    """One browser: a connection, cookies and the hidden fields of the last page."""

    def __init__(self, port, index, cookies=""):
        self._port, self._address = port, address(index)
        self._cookies = dict([cookies.split("=")]) if cookies else {}
        self._fields, self._ends = {}, None

    async def get(self, path):
        """Return the status."""
        return await self._ask("GET", path)

    async def post(self, path, **fields):
        """Send the form of the last page; return the status."""
        return await self._ask("POST", path, urlencode({**self._fields, **fields}).encode())

    def close(self):
        """Leave."""
        if self._ends:
            self._ends[1].close()
            self._ends = None

    async def _ask(self, method, path, body=b""):
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._ends
        writer.write(self._head(method, path, body) + body)
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode("latin-1")
        status, headers = int(head[9:12]), head.split("\r\n")[1:-2]
        length, closes = self._keep(headers)
        text = (await reader.readexactly(length)).decode()
        if closes:
            self.close()
        if method == "GET":
            self._fields = dict(HIDDEN.findall(text))
        return status

    def _keep(self, headers):
        length, closes = 0, False
        for line in headers:
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                key, _, held = value.partition(";")[0].partition("=")
                self._cookies[key] = held
            elif name.lower() == "content-length":
                length = int(value)
            elif name.lower() == "connection":
                closes = value.lower() == "close"
        return length, closes

    def _head(self, method, path, body):
        lines = [
            f"{method} {path} HTTP/1.1", "Host: site.example", f"X-Forwarded-For: {self._address}",
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            f"Cookie: {'; '.join('='.join(pair) for pair in self._cookies.items())}",
        ]  # fmt: skip
        if body:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Load:
    """What is done, for how long, and what was seen after the first seconds."""

    def __init__(self, told):
        self.port, self.users, self.look = told["port"], told["users"], told["look"]
        self.begins = monotonic() + told["warm"]
        self.ends = self.begins + told["seconds"]
        self.numbers = count(told["first"])
        self.session = f"sessionid={told['session']}"
        self.times = {"calling": [], "login": [], "other": []}
        self.refused = self.asked = self.lost = 0

    async def run(self):
        """Return what was seen."""
        watch = asyncio.create_task(self._process())
        people = [self._person(index / max(self.users, 1)) for index in range(self.users)]
        looks = [self._looks(self.look, turn) for turn in range(4 if self.look else 0)]
        await asyncio.gather(*people, *looks)
        return {
            **self.times,
            "refused": self.refused,
            "asked": self.asked,
            "lost": self.lost,
            "driver_cpu": await watch,
            "next": next(self.numbers),
        }

    async def _process(self):
        await asyncio.sleep(max(self.begins - monotonic(), 0))
        print(flush=True)
        began = process_time()
        await asyncio.sleep(max(self.ends - monotonic(), 0))
        print(flush=True)
        return process_time() - began

    async def _person(self, share):
        await asyncio.sleep(share)  # not all at the same moment
        while monotonic() < self.ends:
            index = next(self.numbers)
            visitor = Visitor(self.port, index)
            try:
                if not await self._log_in(visitor, index):
                    await asyncio.sleep(REST)
            except (OSError, EOFError, TimeoutError):
                self.lost += self._counts()
                await asyncio.sleep(REST)
            finally:
                visitor.close()

    async def _log_in(self, visitor, index):
        began = monotonic()
        await visitor.get("/login/")
        if not await self._calling(visitor.post("/login/", number=number(index))):
            return False
        await visitor.get("/login/code/")
        if not await self._calling(visitor.post("/login/code/", code="123456")):
            return False
        await visitor.get("/")
        self._note("login", began)
        return True

    async def _calling(self, asking):
        """Await a page that calls the provider; return whether it led on."""
        began, status = monotonic(), await asking
        self.asked += self._counts()
        if status != 302:
            self.refused += self._counts()
            return False
        self._note("calling", began)
        return True

    async def _looks(self, rate, turn):
        """Open the home page again and again, whatever the answers take."""
        due, under_way = monotonic() + turn / rate / 4, []
        while due < self.ends:
            await asyncio.sleep(max(due - monotonic(), 0))
            under_way.append(asyncio.create_task(self._look(due)))
            due += 4 / rate
        await asyncio.gather(*under_way)

    async def _look(self, due):
        visitor = Visitor(self.port, 0, self.session)
        try:
            await visitor.get("/")
            self._note("other", due)
        except (OSError, EOFError, TimeoutError):
            self.lost += self._counts()
        finally:
            visitor.close()

    def _note(self, kind, began):
        if self._counts():
            self.times[kind].append((monotonic() - began) * 1000)

    def _counts(self):
        return self.begins <= monotonic() < self.ends


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Load(json.loads(sys.argv[1])).run())))
