"""Objects in a bucket of S3, or of a server that speaks its protocol.

Keys and address come from the variables that the lake's store reads: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL. The library is imported here alone, so that a shop with a folder never loads it.
"""

import itertools
import os
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from api.media.store.interface import Listed, StoreFailed

TIMEOUT_SECONDS = 5
ATTEMPTS = 3
# The most that one request may delete.
_AT_ONCE = 1_000


class S3Store:
    """`s3://bucket/prefix`."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""

    def put(self, key: str, content: bytes) -> None:
        with _failing():
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content)

    def get(self, key: str) -> bytes | None:
        from botocore.exceptions import ClientError

        with _failing():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                    return None
                raise
            content: bytes = answer["Body"].read()
            return content

    def delete(self, keys: Collection[str]) -> None:
        remaining = iter(keys)
        while some := list(itertools.islice(remaining, _AT_ONCE)):
            with _failing():
                named = [{"Key": self._prefix + key} for key in some]
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": named, "Quiet": True})
            if answer.get("Errors"):
                raise StoreFailed(f"{len(answer['Errors'])} objects were not deleted")

    def listed(self, prefix: str) -> Iterator[Listed]:
        with _failing():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    yield Listed(found["Key"].removeprefix(self._prefix), found["LastModified"])

    @cached_property
    def _client(self) -> Any:  # Any: boto3 makes its clients' classes at run time
        import boto3
        from botocore.config import Config

        retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}  # Any: botocore's own dictionary
        config = Config(connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries=retries)
        return boto3.session.Session().client("s3", region_name=os.environ.get("AWS_REGION"), config=config)


class _failing:  # noqa: N801 - reads as a statement
    """Turns what the library raises into StoreFailed."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, BotoCoreError | ClientError | OSError):
            raise StoreFailed(f"{type(error).__name__}: {error}") from error
