"""Scripts other than the Latin one: words that no blank separates, and endings."""

import re
from functools import lru_cache

import tantivy

# Chinese characters, kana, Hangul, Thai, Lao, Burmese and Khmer.
_UNSPACED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003134f"
)
_RUNS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
# An article, and what stands before it, which the stemmer leaves.
_ARABIC_PREFIX = re.compile("^(?:[وفبك]ال|لل)(?=\\w{3})")
_SCRIPTS = ((0x0370, 0x03FF, "greek"), (0x0400, 0x052F, "russian"), (0x0600, 0x06FF, "arabic"))


def is_unspaced(word: str) -> bool:
    """Whether some of its words are not separated."""
    return _IS_UNSPACED.search(word) is not None


def runs(word: str) -> list[str]:
    """The parts of a word, each in scripts with blanks or without."""
    return _RUNS.findall(word)


def pairs(run: str) -> list[str]:
    """What stands for words where none are separated: every two neighbours; one alone is itself."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


@lru_cache(50_000)
def stemmed(word: str) -> str:
    """The word without its ending, where its script has a stemmer of its own; Latin words are the analyser's."""
    code = ord(word[0])
    for first, last, language in _SCRIPTS:
        if first <= code <= last:
            if language == "arabic":
                word = _ARABIC_PREFIX.sub("", word)
            return str(_stemmers()[language].analyze(word)[0])
    return word


@lru_cache(1)
def _stemmers() -> dict[str, tantivy.TextAnalyzer]:
    return {
        language: tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.stemmer(language)).build()
        for _, _, language in _SCRIPTS
    }
