"""A stand-in for an OpenSearch node: over HTTP, with what the shop asks of one and nothing else."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.harness.opensearch_engine import Index, Json, Refused, Search


@dataclass
class Node:
    """`asked`: the method and path of each request. `down`: the node answers 503."""

    indices: dict[str, Index] = field(default_factory=dict)
    aliases: dict[str, set[str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    searches: list[Json] = field(default_factory=list)
    version: Json = field(default_factory=lambda: {"distribution": "opensearch", "number": "2.19.1"})
    down: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path))
        if self.down:
            return web.json_response({"error": "no cluster manager"}, status=503)
        parts, text = request.path.strip("/").split("/"), await request.text()
        try:
            if parts[-1] == "_bulk":
                return web.json_response(self._bulk(parts[0], text, request.query))
            body = json.loads(text) if text else {}
            return self._answer(request.method, parts, body)
        except Refused as error:
            return web.json_response(
                {"error": {"type": "illegal_argument_exception", "reason": str(error)}}, status=400
            )

    def _answer(self, method: str, parts: list[str], body: Json) -> web.Response:
        match method, parts:
            case "GET", [""]:
                return web.json_response({"version": self.version})
            case "GET", ["_alias", name]:
                found: Json = {one: {"aliases": {name: {}}} for one in self.aliases.get(name, ())}
                return web.json_response(found or {"error": "missing"}, status=200 if found else 404)
            case "POST", ["_aliases"]:
                for action in body["actions"]:
                    ((kind, said),) = action.items()
                    self._named(said["index"])
                    behind = self.aliases.setdefault(said["alias"], set())
                    behind.add(said["index"]) if kind == "add" else behind.remove(said["index"])
                return web.json_response({"acknowledged": True})
            case "PUT", [name] if not name.startswith("_"):
                if name != name.lower() or name in self.indices:
                    raise Refused(f"invalid or existing index name [{name}]")
                self.indices[name] = Index(body)
                self.indices[name].refresh()
                return web.json_response({"acknowledged": True})
            case "DELETE", [name]:
                self.indices.pop(name, None)
                for behind in self.aliases.values():
                    behind.discard(name)
                return web.json_response({"acknowledged": True})
            case "PUT", [name, "_doc", doc_id]:
                self.indices.setdefault(name, Index({})).written[doc_id] = body
                return web.json_response({"result": "created"}, status=201)
        index = self._named(parts[0])
        if index is None:
            return web.json_response({"error": {"type": "index_not_found_exception"}, "status": 404}, status=404)
        match method, parts[1:]:
            case "GET", ["_doc", doc_id]:
                known = index.written.get(doc_id)
                return web.json_response(
                    {"found": known is not None, "_source": known}, status=404 if known is None else 200
                )
            case "POST", ["_refresh"]:
                index.refresh()
                return web.json_response({})
            case "POST", ["_mget"]:
                docs = [
                    {"_id": one, "found": one in index.written, "_source": index.written.get(one)}
                    for one in body["ids"]
                ]
                return web.json_response({"docs": docs})
            case "POST" | "GET", ["_count"]:
                return web.json_response({"count": len(index.docs)})
            case "POST", ["_search"]:
                self.searches.append(body)
                return web.json_response(Search(index).page(body))
        raise Refused(f"{method} /{'/'.join(parts)} is unknown here")

    def _named(self, name: str) -> Index | None:
        behind = self.aliases.get(name, {name})
        if len(behind) > 1:
            raise Refused(f"alias [{name}] has several indices")
        return next((self.indices[one] for one in behind if one in self.indices), None)

    def _bulk(self, name: str, text: str, query: Any) -> Json:  # Any: a multidict
        index = self._named(name)
        if index is None or not text.endswith("\n"):
            raise Refused("The bulk request must be terminated by a newline, for an index that exists")
        lines = [json.loads(line) for line in text.splitlines()]
        items = []
        while lines:
            ((kind, key),) = lines.pop(0).items()
            if kind == "delete":
                gone = index.written.pop(key["_id"], None)
                items.append({"delete": {"_id": key["_id"], "status": 404 if gone is None else 200}})
            else:
                wrong = index.write(key["_id"], lines.pop(0))
                items.append(
                    {kind: {"_id": key["_id"], **({"error": wrong, "status": 400} if wrong else {"status": 201})}}
                )
        if query.get("refresh") == "true":
            index.refresh()
        return {"errors": any("error" in one for item in items for one in item.values()), "items": items}


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Node, str]]:
    """A node and its address."""
    node, app = Node(), web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", node.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield node, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
