#!/usr/bin/env python3
"""The uplink of a gateway: TCP listeners in front of the brokers, all on one link that can be cut, stalled and slowed.

    proxy.py --seed N LISTEN:TARGET ...     ports of 127.0.0.1

As a program it is steered through its standard input, a JSON object a line, and answers each with one: so its work never
waits for the test that steers it. `Proxy` is the other end of that.
"""
import argparse
import asyncio
import collections
import contextlib
import json
import pathlib
import random
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.processes import end_with_parent  # noqa: E402

CHUNK = 16 * 1024
BEHIND_MAX = 64  # chunks of one direction that are on the way: what a link has in its buffers


class Link:
    """How the link is now. Its listeners share its bytes a second, each direction of its own."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.up = True          # False: connections are reset, new ones too
        self.stalled = False    # nothing passes, and nobody is told
        self.deaf = False       # requests pass, answers don't
        self.rate = None        # bytes a second
        self.delay_ms = 0
        self.jitter_ms = 0
        self.changed = asyncio.Event()
        self.free_at = {"up": 0.0, "down": 0.0}

    def change(self, values):
        for name, value in values.items():
            assert hasattr(self, name), f"a link has no {name}"
            setattr(self, name, value)
        self.changed.set()
        self.changed = asyncio.Event()

    def holds(self, direction):
        return self.stalled or (self.deaf and direction == "down")

    async def pass_through(self, direction, size):
        """Returns when so many bytes have passed."""
        while self.holds(direction):
            await self.changed.wait()
        if not self.rate:
            return
        now = time.monotonic()
        self.free_at[direction] = max(self.free_at[direction], now) + size / self.rate
        await asyncio.sleep(self.free_at[direction] - now)


def reset(writer):
    """Closes the connection in the way that its other end takes for an error."""
    with contextlib.suppress(OSError):  # it is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Direction:
    """One direction of one connection: what is read is written later, in order."""

    def __init__(self, link, name, reader, writer, counts):
        self.link, self.name, self.reader, self.writer, self.counts = link, name, reader, writer, counts
        self.on_the_way = asyncio.Queue(BEHIND_MAX)

    async def read(self):
        size = CHUNK
        while True:
            if self.link.rate:
                size = max(256, min(CHUNK, int(self.link.rate / 10)))
            data = await self.reader.read(size)
            late = self.link.delay_ms + self.link.random.uniform(0, self.link.jitter_ms)
            await self.on_the_way.put((time.monotonic() + late / 1000, data))
            if not data:
                return

    async def write(self):
        while True:
            due, data = await self.on_the_way.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self.link.pass_through(self.name, len(data))
            if not data:
                self.writer.write_eof()
                return
            self.counts[self.name] += len(data)
            self.writer.write(data)
            await self.writer.drain()


class Server:
    def __init__(self, link):
        self.link = link
        self.open = set()
        self.counts = collections.Counter()

    async def listen(self, port, target):
        return await asyncio.start_server(lambda r, w: self.serve(r, w, target), "127.0.0.1", port)

    async def serve(self, reader, writer, target):
        self.open.add(writer)
        try:
            if not self.link.up:
                return
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
            self.open.add(there_writer)
            self.counts["connections"] += 1
            try:
                up = Direction(self.link, "up", reader, there_writer, self.counts)
                down = Direction(self.link, "down", there_reader, writer, self.counts)
                await self.until_one_fails(up.read(), up.write(), down.read(), down.write())
            finally:
                self.open.discard(there_writer)
                there_writer.transport.abort()
        except OSError:
            pass  # the target is away, or either end has gone
        finally:
            self.open.discard(writer)
            writer.transport.abort()

    @staticmethod
    async def until_one_fails(*steps):
        tasks = [asyncio.ensure_future(step) for step in steps]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def cut(self):
        self.counts["cut"] += len(self.open)
        for writer in list(self.open):
            reset(writer)
        self.open.clear()

    def command(self, values):
        self.link.change({name: value for name, value in values.items() if name != "cut"})
        if values.get("cut") or not self.link.up:
            self.cut()
        return dict(self.counts)


async def run(seed, ports):
    server = Server(Link(seed))
    listening = [await server.listen(*pair) for pair in ports]
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("{}", flush=True)
    while line := await lines.readline():
        print(json.dumps(server.command(json.loads(line))), flush=True)
    assert listening


class Proxy:
    """The program, run beside a test. `ports`: pairs (listened on, connected to)."""

    def __init__(self, ports, seed=0):
        words = [f"{listen}:{target}" for listen, target in ports]
        self.process = subprocess.Popen([sys.executable, __file__, "--seed", str(seed), *words], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=end_with_parent)
        self.process.stdout.readline()

    def set(self, **values):
        """As `Link` names them: up, stalled, deaf, rate, delay_ms, jitter_ms; returns the counts so far."""
        self.process.stdin.write(json.dumps(values) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def cut(self):
        """Resets the connections that there are; new ones are taken."""
        return self.set(cut=True)

    def heal(self):
        return self.set(up=True, stalled=False, deaf=False, rate=None, delay_ms=0, jitter_ms=0)

    def counts(self):
        """Bytes "up" and "down", "connections", and how many were "cut"."""
        return self.set()

    def stop(self):
        self.process.kill()
        self.process.communicate()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("ports", nargs="+")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.seed, [tuple(map(int, pair.split(":"))) for pair in arguments.ports]))


if __name__ == "__main__":
    main()
