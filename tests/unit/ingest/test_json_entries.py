"""A list in JSON that comes in pieces: the same entries and the same complaints as of the whole."""

import json

import pytest

from ingest.metadata.json_entries import entries

PIECES = (1, 2, 3, 5, 8, 13, 1000)


def found(text: str, size: int) -> list[object]:
    """The entries of a text that is cut into pieces of this size."""
    return list(entries((text[at : at + size] for at in range(0, len(text), size)), name="tracks"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[]", []),
        (' [ {"a": [1, 2.5e3, -0]} ,\r\n\t{} , "x" ] \n', [{"a": [1, 2500.0, 0]}, {}, "x"]),
        (r'["\u00e9\ud83d\ude00\"\\", "]", "}", ",", "", true, false, null, 1234567890]',
         ["é😀\"\\", "]", "}", ",", "", True, False, None, 1234567890]),
        ('{"a": 123456, "b": {"tracks": [3]}, "tracks": [1, [2]], "c": [4]}', [1, [2]]),
        ('{"tracks":[]}', []),
    ],
)  # fmt: skip
def test_wherever_it_is_cut(text: str, wanted: list[object]) -> None:
    """Between values, and inside of them."""
    for size in PIECES:
        assert found(text, size) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "[", "[1", "[1,\n2", "[1,", "[1 2]", "[\n1]\n2", "[tru]", '["a', '["\n"]', '["\\u12"]', '[{"a" 1}]', "nul",
     '[{"a":\n}]', "[{1: 2}]", "{", '{"a"', '{"a" 1}', '{"a": 1 "b": 2}', "{1: 2}", '{"tracks": [1]\n, 3: 4}',
     '{"tracks": [1]} x'],
)  # fmt: skip
def test_what_is_malformed(text: str) -> None:
    """With its line, in the words of who reads it whole."""
    with pytest.raises(json.JSONDecodeError) as whole:
        json.loads(text)
    for size in PIECES:
        with pytest.raises(ValueError, match=r"^line [0-9]+: no JSON \(") as caught:
            found(text, size)
        assert str(caught.value) == f"line {whole.value.lineno}: no JSON ({whole.value.msg.lower()})"
