"""`python -m tests.benchmarks.support.gateway`: a payment gateway that answers at once and costs next to nothing.

It speaks the sandbox's API and keeps a ledger in memory, which the shop's invariants compare with its payments. A key
that was used before gets the same answer again. Any token is authorised.
"""

import asyncio
import os
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import orjson

_KINDS = {
    "/v1/authorisations": ("authorisation", "authorised"),
    "/v1/captures": ("capture", "captured"),
    "/v1/voids": ("void", "voided"),
    "/v1/refunds": ("refund", "refunded"),
}
Entry = dict[str, Any]  # Any: the values of a JSON object


class Ledger:
    """Every movement of money, by its key."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def record(self, path: str, body: Entry) -> tuple[int, Entry]:
        """The status and the answer of one call."""
        key = body["key"]
        if (known := self.entries.get(key)) is not None:
            return 200, known
        kind, status = _KINDS[path]
        held: Entry = self.entries.get(body.get("authorisationKey", ""), {})
        entry = {
            "sequence": len(self.entries) + 1,
            "key": key,
            "kind": kind,
            "status": status,
            "parentKey": body.get("authorisationKey"),
            "amount": body.get("amount") or held.get("amount", "0.00"),
            "currency": body.get("currency") or held.get("currency", "XTS"),
            "reference": body.get("reference") or held.get("reference", ""),
            "gatewayReference": f"instant_{len(self.entries) + 1}",
        }
        self.entries[key] = entry
        return 201, entry

    def page(self, after: int, limit: int) -> Entry:
        """The entries behind a sequence number, in the sandbox's form."""
        rows = list(self.entries.values())[after : after + limit]
        return {"entries": rows, "next": rows[-1]["sequence"] if len(rows) == limit else None}


class Connection(asyncio.Protocol):
    """One connection of the shop; requests come one after another."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's class is no subclass

    def data_received(self, data: bytes) -> None:
        self.got += data
        end = self.got.find(b"\r\n\r\n")
        while end >= 0:
            head = self.got[:end].lower() + b"\r\n"
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 : head.index(b"\r\n", at + 2)]) if at >= 0 else 0
            if len(self.got) < end + 4 + length:
                return
            body = self.got[end + 4 : end + 4 + length]
            method, target, _ = self.got.split(b" ", 2)
            self.got = self.got[end + 4 + length :]
            status, answer = self.answer(method.decode(), target.decode(), body)
            content = orjson.dumps(answer)
            self.transport.write(
                b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (status, len(content), content)
            )
            end = self.got.find(b"\r\n\r\n")

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Entry]:
        """The status and the body of one call."""
        url = urlsplit(target)
        if method == "POST" and url.path in _KINDS:
            return self.ledger.record(url.path, orjson.loads(body))
        if url.path == "/v1/ledger":
            query = parse_qs(url.query)
            return 200, self.ledger.page(int(query["after"][0]), int(query["limit"][0]))
        return (200, {"status": "ok"}) if url.path.startswith("/health/") else (404, {"error": "not_found"})


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    ledger = Ledger()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(ledger), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop  # as the shop's own servers do

    uvloop.install()
    asyncio.run(serve(urlsplit(os.environ["BENCH_GATEWAY_URL"]).port or 0))
