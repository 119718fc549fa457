"""Texts that tokenizers trip over: a browser's tokenizer must give the ids that the build stored for them."""

from __future__ import annotations

from collections.abc import Iterator

_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_INVISIBLE = "\x00\x01\x07\x08\x1b\x7f\xad\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066"
_REPLACING = "\ufe0e\ufe0f\ufeff\ufff9\ufffd"

_WORDS = (
    "",
    "a",
    "the",
    " the",
    "  the",
    "the ",
    "The quick brown fox jumps over the lazy dog.",
    "don't can't we'll I'm you've they'd it's",
    "DON'T CAN'T WE'LL",
    "don\u2019t it\u2019s",
    "e.g., i.e., etc.; (see [1]): {x} <y> \"quoted\" 'single' `back`",
    "!!!???...,,,;;;:::",
    "-- --- \u2013 \u2014",
    "1 12 123 1234 12345 1,234,567.89 -0.5e-10 0xFF 1_000",
    "3.14159265358979323846264338327950288",
    "\u0661\u0662\u0663 \u0967\u0968\u0969 \uff11\uff12\uff13 \u00bd \u00b2 \u2167",
    "x" * 300,
    "ab" * 150,
    " " * 64,
    "\n" * 33,
    "\t" * 17,
    "antidisestablishmentarianism",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "SoMeThInG",
    "camelCaseWord snake_case_word",
)

_CODE = (
    "def f(x):\n    return x ** 2\n",
    "for i in range(10):\n\tprint(i)\r\n",
    "if (a && b || !c) { d += 1; }",
    '<div class="a">&amp;&lt;</div>',
    "SELECT * FROM t WHERE a='b' -- c",
    "https://example.org/a?b=c&d=%20#e",
    "user@example.org",
    "C:\\Users\\x\\n",
    "\\u0041 \\n \\\\",
    '#!/bin/sh\n$(echo "$HOME")',
    "/* comment */ // more",
    '{"a": [1, 2.5, null, true]}',
    "x = '''\n\n'''",
    "a\r\nb\rc\nd",
    "   leading",
    "trailing   ",
    "mid   dle",
    "\n\n  \n x",
    " \n",
    "\n ",
    "a\n\n\nb",
    "\u00a0x\u00a0",
    "0\u20e3 #\ufe0f\u20e3",
)

_LETTERS = (
    "caf\u00e9 cafe\u0301",
    "\u212b \u00c5 A\u030a",
    "\ufb01 \ufb02 \u0132 \u01c6",
    "\u1e9e \u00df \u0130 \u0131 i\u0307",
    "\u017f\u0307\u0323",
    "\u0391\u03b8\u03ae\u03bd\u03b1 \u03c2\u03c3",
    "\u041c\u043e\u0441\u043a\u0432\u0430 \u0451\u0439",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8",
    "\u30ab\u3099 \u30ac \uff76\uff9e",
    "\uc548\ub155 \u1112\u1161\u11ab",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "\U00020000\U0002a6d6",
    "\U0001d400\U0001d49e\U0001d7ce",
    "\u0332a\u0332b",
    "Z\u0351\u0343\u0313a\u0334l\u0321g\u0348o\u0355",
    "\u2460\u24b6\u3250",
    "\u2122 \u00ae \u00a9 \u20ac \u00a5 \u00a3",
    "\u221e\u2260\u2211\u222b\u221a \u2192\u21d2",
    "\ue000\uf8ff",
    "\ufdd0\uffff",
    "\U0010ffff",
    "\u0378",
    "\u2581x \u2581\u2581",
    "\u0120the \u010a \u0100",
)

_EMOJI = (
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f44d\U0001f3fd",
    "\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea",
    "\u2764\ufe0f \u2764",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "a\U0001f600b \U0001f600\U0001f600",
    "\U0001f9d1\U0001f3ff\u200d\U0001f680",
)

_SPECIAL = (
    "<|endoftext|>",
    " <|endoftext|>",
    "<|endoftext|>a",
    "a<|endoftext|><|endoftext|>b",
    "<s>",
    "</s>",
    "<s>a</s>",
    "<unk>",
    "<pad>",
    "<bos>",
    "<|im_start|>user\nx<|im_end|>",
    "<0x41> <0xE6>",
    "[CLS] [SEP] [MASK]",
    "<start_of_turn>",
    "<|endoftext",
    "|>",
)


def nasty_strings() -> list[str]:
    """About 200 texts, all of them valid Unicode, in a fixed order, each once."""
    return list(dict.fromkeys(_all()))


def _all() -> Iterator[str]:
    yield from (*_WORDS, *_CODE, *_LETTERS, *_EMOJI, *_SPECIAL)
    for character in _SPACES + _INVISIBLE + _REPLACING:
        yield f"a{character}b"
        yield f"{character}{character} x{character}"
