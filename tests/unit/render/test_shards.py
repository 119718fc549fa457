"""Data files: one form, exact content."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render import payloads
from atlas.render.shards import LEVEL, QUICK, encode_shard, shard_path
from atlas.store import AtlasStore
from atlas.store.letters import from_letters
from tests.support.sites import Site, read_bytes, read_shard

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_a_shard_gives_its_payload_back(payload: object):
    assert read_shard("a/features/3", encode_shard("a/features/3", payload)) == payload


@given(JSON)
def test_equal_payloads_give_equal_bytes(payload: object):
    assert encode_shard("k", payload) == encode_shard("k", json.loads(json.dumps(payload)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_carry_is_refused(value: float):
    with pytest.raises(ValueError, match="JSON"):
        encode_shard("k", {"value": value})


def test_no_text_can_leave_its_shard():
    data = encode_shard("k", {"text": '");alert(1);//</script><!--\u2028'})
    assert data.startswith("\ufeffatlasShard".encode("utf-16-le"))
    packed = data.decode("utf-16").removeprefix('atlasShard("k","').removesuffix('");\n')
    assert all("\u3030" <= letter <= "\uafaf" for letter in packed)


def test_shards_lie_under_data():
    assert shard_path("a/features/3") == "data/a/features/3.js"


def typed(payload: object, kind: type) -> None:
    """Whether `payload` has exactly the fields of the TypedDict `kind`."""
    assert isinstance(payload, dict)
    assert set(payload) == set(kind.__annotations__)


@given(st.binary(max_size=300), st.sampled_from([QUICK, LEVEL]))
def test_bytes_are_packed_as_they_are_without_a_clock(content: bytes, level: int):
    file = encode_shard("a/features/3", content, level)
    assert read_bytes("a/features/3", file) == content
    assert from_letters(file.decode("utf-16").split('"')[3])[:8] == b"\x1f\x8b\x08\x00\0\0\0\0"


def test_the_site_shard_names_the_saes(site: Site, store: AtlasStore):
    shard = site.shard("site")
    typed(shard, payloads.SitePayload)
    assert shard["build_id"] == store.manifest.build_id
    assert [sae["slug"] for sae in shard["saes"]] == ["alpha", "beta"]
    assert shard["features_per_shard"] == 16
    assert shard["n_tokens"] == store.manifest.stream["n_tokens"]
    assert shard["choice"] == {
        "budget": 10**9, "fitted": False, "top": 20, "others": 2**30, "before": 2**30, "after": 2**30,
    }  # fmt: skip
    for sae in shard["saes"]:
        typed(sae, payloads.SaePayload)
        for column in sae["columns"]:
            typed(column, payloads.ColumnPayload)
        for card in sae["cards"]:
            typed(card, payloads.CardPayload)
        columns = {column["name"]: column for column in sae["columns"]}
        assert columns["top_tokens"]["fields"] == ["token_id", "count", "value"]
        assert columns["max_activation"]["fields"] == []
        assert {name for card in sae["cards"] for name in card["columns"]} <= set(columns)
    for key in (
        "beta/table",
        "beta/titles/0",
        "beta/map",
    ):
        assert site.shard(key)
