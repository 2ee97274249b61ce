"""`python -m serving.semantic`: how near texts are, line by line, for whoever judges search without a running shop.

Each line of stdin is JSON, {"query": text, "titles": [...]}; the line that answers it on stdout is {"similarity":
[cosine, ...]}, in the order of the titles and by the encoder that serves. A title is a text, or [title, brand, path of
the category], which is encoded as a product of the shop. Texts that came before are not encoded again.
"""

import json
import sys
from collections.abc import Iterable, Iterator

from serving.arrays import Floats
from serving.semantic.encoder import Encoder
from serving.semantic.model import packaged_model, text_of
from serving.settings import ServingSettings
from warehouse.environment import exit_on_invalid_settings


def similarities(encoder: Encoder, lines: Iterable[str]) -> Iterator[list[float]]:
    """Cosines for each line. Raises: ValueError for one that is not of the form."""
    known: dict[str, Floats] = {}
    for number, line in enumerate(lines, 1):
        try:
            asked = json.loads(line)
            texts = [str(asked["query"]), *map(_text, asked["titles"])]
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f'line {number}: {{"query": text, "titles": [text, ...]}} is wanted ({error})') from error
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(new, encoder.encode(new), strict=True))
        query_D = known[texts[0]]
        yield [float(known[text] @ query_D) for text in texts[1:]]


def _text(title: object) -> str:
    return text_of(*map(str, title)) if isinstance(title, list) else str(title)


def main() -> int:
    """Exit status 1, with what is wrong, when a line is not of the form."""
    with exit_on_invalid_settings():
        settings = ServingSettings()
    try:
        for similarity in similarities(Encoder(settings.encoder or packaged_model()), sys.stdin):
            sys.stdout.write(json.dumps({"similarity": similarity}) + "\n")
            sys.stdout.flush()
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
