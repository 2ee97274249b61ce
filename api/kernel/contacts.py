"""Ways to reach somebody, as requests have them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from api.kernel.texts import one_line


def _email(value: str) -> str:
    """The address in lower case: mail systems in use treat Anna@ and anna@ as the same address."""
    return value.lower()


Email = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)+$",
        examples=["anna@example.com"],
    ),
    AfterValidator(one_line),
    AfterValidator(_email),
]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ()./-]{4,18}$", examples=["+44 20 7946 0000"])]
