"""The manifest: its own hash, its canonical bytes, its refusals."""

from __future__ import annotations

import hashlib
import json
import math
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.errors import InputError
from atlas.schema import SCHEMA_VERSION
from atlas.sources.saes.base import SaeFacts
from atlas.store import AtlasStore, FileEntry, Manifest, SaeEntry
from atlas.store.manifest import (
    FILE_PATTERN,
    decode_manifest,
    encode_manifest,
    load_manifest,
    new_manifest,
    table_folder,
    table_key,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip

FULL = Manifest(
    title="Ünïcode ﷽ </script>",
    config={"a": [1, 2.5, None, True], "ключ": {"x": "\u2028\x00"}},
    saes=[SaeEntry(slug="alpha", title="Alpha", n_features=3, facts={"d_in": 5})],
    versions={"torch": "2"},
    tables={
        "documents": [
            FileEntry(path="tables/documents/0000-0123456789abcdef.parquet", sha256="a" * 64, bytes=5, rows=1)
        ],
    },
)


def independent_hash(raw: dict[str, Any]) -> str:
    """The self-hash from its definition: SHA-256 of the compact, sorted ASCII JSON of the rest."""
    rest = {key: value for key, value in raw.items() if key != "manifest_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def signed(raw: dict[str, Any]) -> bytes:
    """A manifest file with a right self-hash, whatever it says."""
    whole = {**raw, "manifest_sha256": independent_hash(raw)}
    return (json.dumps(whole, sort_keys=True, indent=1) + "\n").encode()


def raw_of(manifest: Manifest) -> dict[str, Any]:
    return json.loads(encode_manifest(manifest))


class TestRoundTrip:
    def test_a_full_manifest(self):
        assert decode_manifest(encode_manifest(FULL), "m") == FULL

    @given(config=st.dictionaries(st.text(), JSON, max_size=5))
    def test_any_json_comes_back(self, config: dict[str, Any]):
        manifest = Manifest(config=config)
        assert decode_manifest(encode_manifest(manifest), "m").config == config

    def test_lone_surrogates_come_back(self):
        manifest = Manifest(model={"name": "a\ud800b"})
        assert decode_manifest(encode_manifest(manifest), "m").model == manifest.model

    def test_integer_keys_become_text_and_sort_alike(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "data")
        store.update(stream={"counts": {10: "a", 9: "b"}, "pair": (1, 2)})
        assert store.manifest.stream == {"counts": {"10": "a", "9": "b"}, "pair": [1, 2]}
        assert AtlasStore.open(store.path).manifest == store.manifest

    def test_facts_of_an_sae(self, tmp_path: Path):
        facts = SaeFacts(
            "T", "alpha", "jumprelu", "blocks.0.hook_resid_post", 4, 8, "float32", "m", True, 0, "f" * 64
        )
        store = AtlasStore.create(tmp_path / "data")
        store.update(saes=[SaeEntry(slug="alpha", title="T", n_features=8, facts=asdict(facts))])
        assert AtlasStore.open(store.path).manifest.saes[0].facts["d_sae"] == 8

    def test_the_file_is_ascii_and_sorted(self):
        data = encode_manifest(FULL)
        assert data.isascii()
        keys = list(json.loads(data))
        assert keys == sorted(keys)
        assert data.endswith(b"}\n")


class TestSelfHash:
    def test_it_is_what_it_says(self):
        raw = raw_of(FULL)
        assert raw["manifest_sha256"] == independent_hash(raw)

    def test_the_build_id_is_its_beginning(self):
        assert FULL.build_id == raw_of(FULL)["manifest_sha256"][:12]

    def test_any_field_changes_the_build_id(self):
        ids = {Manifest(**{name: "x"}).build_id for name in ("title", "description", "author", "base_url")}
        assert len(ids | {Manifest().build_id}) == 5

    def test_every_single_bit_flip_is_noticed(self):
        data = encode_manifest(Manifest(title="t", versions={"a": "1"}))
        assert decode_manifest(data, "m").title == "t"
        for bit in range(len(data) * 8):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(InputError):
                decode_manifest(bytes(flipped), "m")

    def test_every_truncation_is_noticed(self):
        data = encode_manifest(FULL)
        for length in range(len(data)):
            with pytest.raises(InputError):
                decode_manifest(data[:length], "m")

    @pytest.mark.parametrize("extra", [b" ", b"\n", b"\0", b"{}"])
    def test_additions_are_noticed(self, extra: bytes):
        data = encode_manifest(FULL)
        for changed in (data + extra, extra + data):
            with pytest.raises(InputError):
                decode_manifest(changed, "m")

    def test_edits_that_json_does_not_see_are_noticed(self):
        data = encode_manifest(FULL)
        edits = [
            json.dumps(json.loads(data), sort_keys=True).encode(),
            data.replace(b"\\u00dc", b"\\u00DC"),
            data.replace(b'"title"', b'"title": "shadowed",\n "title"'),
            data.replace(b"2.5", b"2.50"),
        ]
        for edit in edits:
            assert edit != data
            with pytest.raises(InputError, match="its own hash"):
                decode_manifest(edit, "m")


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "not readable JSON"),
            (b"\xff\xfe", "not readable JSON"),
            (b"[" * 100_000, "nested too deeply"),
            (b'{"a": ' + b"9" * 5000 + b"}", "not readable JSON"),
            (b"[]", "not the manifest of an atlas dataset"),
            (b"null", "not the manifest of an atlas dataset"),
            (b'{"format": "other"}', "not the manifest of an atlas dataset"),
            (b'{"name": "some web manifest"}', "not the manifest of an atlas dataset"),
            (b'{"format": "feature-atlas"}', "its own hash"),
        ],
    )
    def test_foreign_files(self, data: bytes, message: str):
        with pytest.raises(InputError, match=message) as caught:
            decode_manifest(data, "data/manifest.json")
        assert caught.value.where == "data/manifest.json"
        assert caught.value.fix

    def test_a_newer_schema_says_to_upgrade(self):
        raw = {**raw_of(FULL), "schema_version": SCHEMA_VERSION + 1, "atlas_version": "9.9"}
        with pytest.raises(
            InputError, match=f"version {SCHEMA_VERSION + 1}.*up to {SCHEMA_VERSION}"
        ) as caught:
            decode_manifest(signed(raw), "m")
        assert "upgrade" in caught.value.fix
        assert "9.9" in caught.value.fix

    @pytest.mark.parametrize("version", [0, -1, "1", None, 1.5])
    def test_a_version_that_is_none(self, version: object):
        with pytest.raises(InputError, match="is not a version"):
            decode_manifest(signed({**raw_of(FULL), "schema_version": version}), "m")

    def test_unknown_fields_of_the_same_schema_are_kept(self):
        manifest = decode_manifest(signed({**raw_of(FULL), "novelty": {"x": 1}}), "m")
        assert raw_of(manifest)["novelty"] == {"x": 1}

    @pytest.mark.parametrize(
        "path",
        [
            "../../etc/passwd", "/etc/passwd", "tables/../../x/0000-0123456789abcdef.parquet",
            "tables/documents/0000-0123456789abcdef.parquet\n", "tables\\documents\\x.parquet",
            "saes/../x/0000-0123456789abcdef.parquet", "C:/x/0000-0123456789abcdef.parquet",
            "tables/documents/0000-0123456789abcdef.exe", "",
            "tables/documents/\0000-0123456789abcdef.parquet",
        ],
    )  # fmt: skip
    def test_a_signed_manifest_cannot_point_out_of_its_folder(self, path: str):
        raw = raw_of(FULL)
        raw["tables"]["documents"][0]["path"] = path
        with pytest.raises(InputError, match=r"tables\.documents\.0\.path"):
            decode_manifest(signed(raw), "m")

    @pytest.mark.parametrize(
        ("field", "value"),
        [("saes", [{"slug": "../x", "title": "", "n_features": 1}]),
         ("saes", {}), ("title", 5), ("tables", []),
         ("saes", [{"slug": "a", "title": "", "n_features": 1}] * 2),
         ("saes", [{"slug": "a", "title": "", "n_features": -1}])],
    )  # fmt: skip
    def test_signed_nonsense(self, field: str, value: object):
        with pytest.raises(InputError):
            decode_manifest(signed({**raw_of(FULL), field: value}), "m")

    def test_the_size_is_limited(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("atlas.store.manifest._MAX_BYTES", 10)
        (tmp_path / "manifest.json").write_bytes(encode_manifest(FULL))
        with pytest.raises(InputError, match="larger than 10 bytes"):
            load_manifest(tmp_path)

    def test_random_bytes(self):
        rng = random.Random(0)  # noqa: S311 - seeded test data
        for _ in range(200):
            with pytest.raises(InputError):
                decode_manifest(rng.randbytes(rng.randrange(60)), "m")


class TestUpdate:
    def test_other_fields_are_kept(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "data")
        store.update(title="T", versions={"a": "1"})
        store.update(author="A")
        assert (store.manifest.title, store.manifest.author, store.manifest.versions) == (
            "T",
            "A",
            {"a": "1"},
        )

    def test_an_unknown_field_is_a_mistake_in_the_program(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "data")
        with pytest.raises(TypeError, match="no field 'titel'"):
            store.update(titel="x")

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_numbers_that_json_lacks_become_null(self, tmp_path: Path, value: float):
        store = AtlasStore.create(tmp_path / "data")
        store.update(model={"x": [value, 1.0]})
        assert store.manifest.model == {"x": [None, 1.0]}
        assert AtlasStore.open(store.path).manifest == store.manifest

    def test_values_that_are_not_json_change_nothing(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "data")
        before = (store.path / "manifest.json").read_bytes()
        with pytest.raises((ValueError, TypeError)):
            store.update(model={"x": object()})
        assert (store.path / "manifest.json").read_bytes() == before
        assert store.manifest.model == {}

    def test_two_saes_of_one_slug(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "data")
        with pytest.raises(ValueError, match="not distinct"):
            store.update(saes=[SaeEntry(slug="a", title=str(i), n_features=1) for i in range(2)])

    def test_an_edited_manifest_is_not_overwritten(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "data")
        path = store.path / "manifest.json"
        path.write_bytes(path.read_bytes().replace(b'"title": ""', b'"title": "mine"'))
        with pytest.raises(InputError, match="edited or damaged"):
            store.update(title="x")
        assert b'"mine"' in path.read_bytes()

    def test_it_is_frozen(self):
        with pytest.raises(ValueError, match="frozen"):
            FULL.title = "x"  # type: ignore[misc]


class TestTime:
    def test_none_without_source_date_epoch(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
        assert new_manifest().created is None

    def test_source_date_epoch(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
        assert new_manifest().created == "1970-01-01T00:00:00Z"

    @pytest.mark.parametrize("value", ["yesterday", "9" * 30, "1.5"])
    def test_a_time_that_is_none(self, monkeypatch: pytest.MonkeyPatch, value: str):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
        with pytest.raises(InputError, match="is no time"):
            new_manifest()


class TestNames:
    def test_keys_and_folders(self):
        assert table_key("documents") == "documents"
        assert table_key("features", "gpt2-res-8") == "gpt2-res-8/features"
        assert table_folder("documents") == "tables/documents"
        assert table_folder("a/features") == "saes/a/features"

    @given(table=st.text(max_size=12), slug=st.none() | st.text(max_size=12))
    def test_no_name_escapes_the_folder(self, table: str, slug: str | None):
        try:
            key = table_key(table, slug)
        except InputError:
            return
        folder = Path("/data") / table_folder(key)
        assert folder.resolve() == folder
        assert FILE_PATTERN.fullmatch(f"{table_folder(key)}/0000-0123456789abcdef.parquet")
