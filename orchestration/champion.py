"""Whether the bundle that the pointer names is the one that serves."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import httpx


class NotServed(RuntimeError):
    """Serving runs and does not use the champion; the message says what it said."""


@dataclass(frozen=True)
class Champion:
    """version: what the pointer names. serving: the version that answers requests, None when the process is not up."""

    version: str
    serving: str | None
    seconds: float


def confirm_champion(models: Path, serving_url: str | None, *, wait_seconds: float = 30.0) -> Champion:
    """Ask serving to look at the pointer and wait until it answers with that version.

    A serving process that is down is no failure: it reads the same pointer when it starts. Raises NotServed when it is up and refuses the
    bundle, FileNotFoundError before the first promotion.
    """
    began = time.monotonic()
    version = str(json.loads((models / "champion.json").read_bytes())["version"])
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
