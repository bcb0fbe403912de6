"""The words of a title, by which titles are compared: in lower case, without accents and apostrophes."""

import re
import unicodedata

ARTICLES = {"the", "a", "an"}
WORD = re.compile(r"[^\W_]+")
APOSTROPHES = re.compile(r"['\u2018\u2019\u00b4`]")
SPELLINGS = str.maketrans({"&": " and ", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "\u0131": "i"})
"""Replacements for characters that Unicode doesn't decompose into a letter and an accent."""


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without accents and apostrophes."""
    decomposed = unicodedata.normalize("NFKD", APOSTROPHES.sub("", text).casefold().translate(SPELLINGS))
    return WORD.findall("".join(sign for sign in decomposed if not unicodedata.combining(sign)))


def without_article(words: list[str]) -> list[str]:
    """Return the words without an English article at the beginning, unless it is the only word."""
    return words[1:] if len(words) > 1 and words[0] in ARTICLES else words
