"""Confirms that serving uses the bundle that the pointer names."""

import json
import time
from dataclasses import dataclass
from pathlib import Path


class NotServed(RuntimeError):
    """Serving runs and does not use the champion. The message holds its answer."""


@dataclass(frozen=True)
class Champion:
    """`version`: what the pointer names; None before the first promotion.

    `serving`: the version that answers; None when serving is down.
    """

    version: str | None
    serving: str | None
    seconds: float


@dataclass(frozen=True)
class Judged:
    """NDCG@10 of `for you` on the held-out weeks.

    One figure is of the shipped model (ranker or item_to_item), the other of popularity on the same cases.
    """

    shipped: str
    ndcg: float
    popularity: float


def judged_champion(models: Path) -> Judged | None:
    """The figures in the champion's bundle; None before the first promotion."""
    pointer = models / "champion.json"
    if not pointer.is_file():
        return None
    bundle = json.loads((models / json.loads(pointer.read_bytes())["path"] / "bundle.json").read_bytes())
    return Judged(
        bundle["shipped"], bundle["metrics"]["test/shipped/ndcg@10"], bundle["metrics"]["test/popularity/ndcg@10"]
    )


def confirm_champion(models: Path, serving_url: str | None, *, wait_seconds: float = 30.0) -> Champion:
    """Ask serving to look at the pointer and wait until it answers with that version.

    It is no failure when serving is down: it reads the same pointer when it starts. Before the first promotion there
    is nothing to confirm: the shop recommends best sellers.
    Raises: NotServed when serving is up and refuses the bundle.
    """
    import httpx  # takes a quarter of a second to import; `souk` reads this module for its summary only

    began = time.monotonic()
    pointer = models / "champion.json"
    if not pointer.is_file():
        return Champion(None, None, 0.0)
    version = str(json.loads(pointer.read_bytes())["version"])
    answer: dict[str, object] = {}
    while serving_url and time.monotonic() - began < wait_seconds:
        try:
            answer = httpx.post(f"{serving_url}/v1/reload", timeout=wait_seconds).json()
        except httpx.TransportError:
            return Champion(version, None, round(time.monotonic() - began, 3))
        if answer.get("modelVersion") == version:
            return Champion(version, version, round(time.monotonic() - began, 3))
        time.sleep(0.5)
    if serving_url is None:
        return Champion(version, None, 0.0)
    raise NotServed(f"serving answers with {answer.get('modelVersion')} instead of {version}: {answer.get('reason')}")
