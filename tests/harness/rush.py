"""Many buyers at the same moment, from several client processes."""

import multiprocessing
import threading
from collections import Counter
from typing import Any

import httpx

from tests.harness.api import PLAIN
from tests.harness.sessions import guest_headers

# (URL of an API process, body, key); the key names the guest too.
Order = tuple[str, dict[str, Any], str]


def buy_all(orders: list[Order], answers: Any) -> None:
    """One client process: every order in its own thread, all released at once; puts (key, status, problem type) on the
    queue."""
    gate = threading.Barrier(len(orders))

    def one(url: str, body: dict[str, Any], key: str) -> None:
        headers = {**guest_headers(key), "Idempotency-Key": key}
        with httpx.Client(timeout=60, trust_env=False, verify=PLAIN) as client:
            gate.wait()
            answer = client.post(f"{url}/api/v1/orders", json={**body, "email": "guest@example.com"}, headers=headers)
            answers.put((key, answer.status_code, answer.json().get("type", "")))

    threads = [threading.Thread(target=one, args=order) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rush(orders: list[Order], clients: int = 3) -> Counter[tuple[int, str]]:
    """All orders at once from so many processes; how often each (status, problem type) came."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    processes = [context.Process(target=buy_all, args=(orders[n::clients], answers)) for n in range(clients)]
    for process in processes:
        process.start()
    counted: Counter[tuple[int, str]] = Counter()
    for _ in orders:
        _, status, kind = answers.get()
        counted[status, kind] += 1
    for process in processes:
        process.join(60)
    return counted
