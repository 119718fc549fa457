from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atlas import plugins
from atlas.config import SiteConfig
from atlas.enrich import run as module
from atlas.enrich.run import enrich_all, in_order
from atlas.errors import InputError
from atlas.schema import SAE_TABLES
from atlas.sources.engines.base import Unembedding
from tests.support.enrichment import counting, fake_engine, fake_sae, make_store


def enricher(name: str, reads: tuple[str, ...] = (), writes: tuple[str, ...] = (), run: Any = None) -> Any:
    return SimpleNamespace(
        name=name, reads=reads, writes=writes, notes=f"What {name} does.", run=run or (lambda _: None)
    )


def names(*enrichers: Any) -> list[str]:
    return [one.name for one in in_order({one.name: one for one in enrichers})]


# ---- the order


def test_readers_come_after_writers():
    a = enricher("a", reads=("third", "features"), writes=("last",))
    b = enricher("b", reads=("first",), writes=("second",))
    c = enricher("c", writes=("first",))
    d = enricher("d", reads=("second", "first"), writes=("third",))
    assert names(a, b, c, d) == ["c", "b", "d", "a"]


def test_independent_enrichers_run_by_name():
    assert names(enricher("b"), enricher("c"), enricher("a")) == ["a", "b", "c"]


def test_an_enricher_may_read_what_it_wrote_before():
    assert names(enricher("a", reads=("x",), writes=("x",))) == ["a"]


def test_a_circle_is_refused():
    with pytest.raises(InputError, match="enrichers a, b wait for each other"):
        names(enricher("a", ("y",), ("x",)), enricher("b", ("x",), ("y",)), enricher("c"))


def test_two_writers_of_one_table_are_refused():
    with pytest.raises(InputError, match="'a' and 'b' both write the table 'x'"):
        names(enricher("a", writes=("x",)), enricher("b", writes=("x",)))


def test_the_built_in_enrichers_have_an_order():
    found = {name: plugins.load("atlas.enrichers", name) for name in plugins.available("atlas.enrichers")}
    assert {"logit_effects", "neighbours", "umap", "explanations"} <= set(found)
    order = [one.name for one in in_order(found)]
    assert order.index("explanations") < order.index("umap")
    for name, one in found.items():
        assert one.name == name
        assert one.notes.endswith(".")
        assert set(one.writes) <= set(SAE_TABLES)


# ---- all of it

VOCABULARY = [b"a", b" b", b"\n"]


def config(**enrich: Any) -> SiteConfig:
    raw = {
        "title": "t", "model": {"name": "m"}, "saes": [{"folder": "f"}],
        "corpus": {"kind": "text", "seed": 3}, "enrich": enrich,
    }  # fmt: skip
    return SiteConfig.model_validate(raw)


def store_of(path, *slugs: str):
    return make_store(
        path, {slug: [[(0, 3, 1.0)], [], [(1, 1, 2.0), (2, 1, 1.0)]] for slug in slugs}, VOCABULARY
    )


def use(monkeypatch, *enrichers: Any) -> None:
    """Make `enrichers` the installed ones."""
    found = {one.name: one for one in enrichers}
    monkeypatch.setattr(module, "available", lambda _: found)
    monkeypatch.setattr(module, "load", lambda _, name: found[name])


def silent(_label: str, _done: int, _total: int) -> None:
    """A progress that shows nothing."""


def test_the_built_in_enrichers_fill_an_atlas(tmp_path):
    store = store_of(tmp_path / "data", "one", "two")
    final = Unembedding(
        torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.ones(4), "rms_norm"
    )
    engine, opened = counting(lambda: fake_engine(final))
    hooks = {"one": "blocks.0.hook_resid_pre", "two": "blocks.0.attn.hook_z"}
    W = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    sae, asked = counting(lambda slug: fake_sae(W, hook_name=hooks[slug]))
    note_step, steps = counting(lambda *_: None)
    enrich_all(store, config(), engine, sae, note_step)
    assert opened == [()]
    assert asked == [("one",), ("two",)]
    for table in ("neighbours", "coords", "clusters", "explanations"):
        assert store.has(table, "one")
        assert store.has(table, "two")
    assert store.has("logits", "one")
    assert not store.has("logits", "two")
    notes = store.manifest.enrichers
    assert notes["one/logit_effects"].startswith("Final norm folded")
    assert notes["two/logit_effects"].startswith("Not available: ")
    assert "cosine" in notes["neighbours"]
    assert store.manifest.versions["umap-learn"]
    assert store.verify() == []
    assert [done for _, done, _ in steps] == list(range(len(steps)))
    assert {total for _, _, total in steps} == {len(steps) - 1}
    assert steps[0][0] == "one: effects"


def test_models_are_opened_only_where_needed(tmp_path, monkeypatch):
    use(monkeypatch, enricher("idle"))
    enrich_all(
        store_of(tmp_path / "data", "one"),
        config(),
        lambda: pytest.fail("not wanted"),
        lambda _: pytest.fail("not wanted"),
        silent,
    )


def test_what_an_enricher_is_given(tmp_path, monkeypatch):
    seen: list[Any] = []
    use(monkeypatch, enricher("spy", reads=("features", "vocabulary"), run=seen.append))
    store = store_of(tmp_path / "data", "one", "two")
    enrich_all(store, config(explanations="own.jsonl"), lambda: "m", lambda slug: slug, silent, base=tmp_path)
    assert [given.sae_slug for given in seen] == ["one", "two"]
    assert [given.sae() for given in seen] == ["one", "two"]
    assert all(given.store is store and given.seed == 3 and given.engine() == "m" for given in seen)
    assert seen[0].config.explanations == str(tmp_path / "own.jsonl")


def test_notes_of_each_sae_stand_beside_the_general_one(tmp_path, monkeypatch):
    def run(given: Any) -> None:
        given.note("first")
        given.note(f"of {given.sae_slug}")

    use(monkeypatch, enricher("talker", run=run), enricher("quiet"))
    store = store_of(tmp_path / "data", "one", "two")
    store.update(versions={"python": "3"})
    enrich_all(store, config(), lambda: None, lambda _: None, silent)
    assert store.manifest.enrichers == {
        "talker": "What talker does.", "quiet": "What quiet does.",
        "one/talker": "of one", "two/talker": "of two",
    }  # fmt: skip
    assert store.manifest.versions["python"] == "3"


def test_an_enricher_without_its_tables_is_noted(tmp_path, monkeypatch):
    use(
        monkeypatch, enricher("reader", reads=("features", "scores"), run=lambda _: pytest.fail("not wanted"))
    )
    store = store_of(tmp_path / "data", "one")
    enrich_all(store, config(), lambda: None, lambda _: None, silent)
    assert store.manifest.enrichers["one/reader"] == "Not available: the dataset has no table 'scores'."


def test_a_failing_enricher_leaves_no_notes(tmp_path, monkeypatch):
    def fail(_: Any) -> None:
        raise InputError("no")

    use(monkeypatch, enricher("a"), enricher("b", run=fail))
    store = store_of(tmp_path / "data", "one")
    with pytest.raises(InputError):
        enrich_all(store, config(), lambda: None, lambda _: None, silent)
    assert store.manifest.enrichers == {}


def test_libraries_that_are_not_installed_have_no_version(monkeypatch):
    monkeypatch.setattr(module, "LIBRARIES", ("numpy", "no-such-distribution"))
    assert set(module.versions_of(module.LIBRARIES)) == {"numpy"}


def test_a_table_that_is_not_available_any_more_is_dropped(tmp_path, monkeypatch):
    def write(context: Any) -> None:
        if context.config.neighbours == 3:
            context.note("Not available: three.")
            return
        with context.store.writer("extra", sae=context.sae_slug, schema=SAE_TABLES["neighbours"]):
            pass

    use(monkeypatch, enricher("fickle", writes=("extra",), run=write))
    store = store_of(tmp_path / "data", "one")
    path = tmp_path / "data"
    enrich_all(store, config(), lambda: None, lambda _: None, silent)
    (file,) = store.manifest.tables["one/extra"]
    enrich_all(store, config(neighbours=3), lambda: None, lambda _: None, silent)
    assert not store.has("extra", "one")
    assert not (path / file.path).exists()
    assert store.manifest.enrichers["one/fickle"] == "Not available: three."
    assert store.verify() == []


def test_a_table_whose_sources_are_gone_is_dropped(tmp_path, monkeypatch):
    use(monkeypatch, enricher("late", reads=("gone",), writes=("extra",)))
    store = store_of(tmp_path / "data", "one")
    with store.writer("extra", sae="one", schema=SAE_TABLES["neighbours"]):
        pass
    enrich_all(store, config(), lambda: None, lambda _: None, silent)
    assert not store.has("extra", "one")
