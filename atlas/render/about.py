"""The about page: the manifest in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from atlas.render.contexts import AboutPage
from atlas.render.frames import model_phrase
from atlas.render.numbers import integer
from atlas.render.strips import Shown, shown
from atlas.render.views import Definition, Fact, FileView, SaeFactsView
from atlas.schema import UNITS
from atlas.text import inline_text

if TYPE_CHECKING:
    from atlas.render.dataset import SaeData
    from atlas.render.frames import Frames
    from atlas.store import Manifest

LABELS = {
    "name": "Name",
    "engine": "Run by",
    "architecture": "Architecture",
    "n_layers": "Layers",
    "d_model": "Width of the residual stream",
    "vocabulary_size": "Vocabulary",
    "context_size": "Context, in tokens",
    "dtype": "Precision",
    "device": "Device",
    "commit": "Commit on the Hub",
    "weights_sha256": "SHA-256 of the weights",
    "tokenizer_sha256": "SHA-256 of the tokenizer",
    "kind": "Kind",
    "fingerprint": "Fingerprint (SHA-256)",
    "n_documents": "Documents",
    "n_tokens_read": "Tokens read",
    "tokens_requested": "Tokens asked for",
    "prepend_bos": "Every context begins with BOS",
    "n_tokens": "Tokens counted",
    "n_contexts": "Contexts",
    "n_masked": "Tokens left out by the mask",
    "mask": "Mask: left out of every statistic",
    "window_before": "Tokens shown before an example's own",
    "window_after": "Tokens shown after it",
    "hook_name": "Reads the model at",
    "d_in": "Dimensions it reads",
    "d_sae": "Features",
    "model_name": "Trained on (its own metadata)",
    "source": "Comes from",
    "folds": "Folded into the weights",
    "title": "Title",
    "slug": "Path of its pages",
}
"""Manifest key → words; an unknown key is shown by its own name."""

_HIDDEN = {"description", "title", "slug", "metadata", "warnings"}
_CODE = {
    "name",
    "commit",
    "fingerprint",
    "weights_sha256",
    "tokenizer_sha256",
    "hook_name",
    "architecture",
    "dtype",
    "device",
}


def about_page(frames: Frames, saes: Sequence[SaeData], shows: str) -> AboutPage:
    """The about page of the whole atlas; `shows` says in words which of its examples the site holds."""
    manifest = frames.manifest
    return AboutPage(
        head=frames.head(
            "about",
            "about.html",
            "About",
            f"How {frames.name} was made: model, text, mask, definitions, versions and hashes.",
        ),
        summary=tuple(_summary(manifest)),
        author=shown(manifest.author),
        shows=shows,
        corpus_description=shown(str(manifest.corpus.get("description") or "")),
        model=facts(manifest.model),
        corpus=facts(manifest.corpus),
        stream=facts(manifest.stream),
        warnings=warnings(manifest),
        saes=tuple(SaeFactsView(frames.saes[data.slug], facts(data.entry.facts)) for data in saes),
        enrichers=tuple(
            Fact(name.replace("_", " "), shown(notes), code=False)
            for name, notes in sorted(manifest.enrichers.items())
        ),
        definitions=tuple(definitions(saes)),
        versions=tuple(
            Fact(name, shown(text), code=True) for name, text in sorted(manifest.versions.items())
        ),
        files=tuple(
            FileView(entry.path, integer(entry.bytes), entry.sha256)
            for _, entries in sorted(manifest.tables.items())
            for entry in entries
        ),
        citation=citation(manifest),
    )


def warnings(manifest: Manifest, slug: str = "") -> tuple[Shown, ...]:
    """What was suspicious before the pass: of all SAEs, or of the one at `slug`."""
    found = manifest.stream.get("warnings") or ()
    return tuple(shown(str(text)) for text in found if not slug or str(text).startswith(f"SAE {slug}: "))


def _summary(manifest: Manifest) -> Iterable[str]:
    model = model_phrase(manifest)
    model = model[0].upper() + model[1:]
    read, counted = manifest.corpus.get("n_tokens_read"), manifest.stream.get("n_tokens")
    documents = manifest.corpus.get("n_documents")
    if counted is not None:
        source = f" in {integer(int(documents))} documents" if documents is not None else ""
        read_words = f" of the {integer(int(read))} read" if read is not None else ""
        yield (
            f"{model} read the corpus once. {integer(int(counted))} tokens{read_words}{source} were counted;"
            " every statistic on this site rests on these same tokens."
        )
    if manifest.stream.get("mask"):
        yield f"Left out everywhere: {inline_text(str(manifest.stream['mask']))}."


def facts(values: Mapping[str, Any]) -> tuple[Fact, ...]:
    """A manifest section as lines; nothing is left out but empty values and what is shown elsewhere."""
    found: list[Fact] = []
    order = list(LABELS)
    for key in sorted(values, key=lambda key: (order.index(key) if key in LABELS else len(order), key)):
        value = values[key]
        text = _value(value)
        if key not in _HIDDEN and text:
            label = LABELS.get(key) or inline_text(key.replace("_", " "))
            found.append(Fact(label, text, code=key in _CODE or isinstance(value, Mapping)))
    return tuple(found)


def _value(value: Any) -> Shown:
    if value is None or value in ("", {}):
        return shown("")
    if isinstance(value, bool):
        return shown("yes" if value else "no")
    if isinstance(value, int):
        return shown(integer(value))
    if isinstance(value, Mapping):
        return shown(", ".join(f"{key}: {text}" for key, text in sorted(value.items()) if text))
    return shown(str(value))


def definitions(saes: Sequence[SaeData]) -> Iterable[Definition]:
    """Every column that a page may show, once, with unit and exact definition."""
    seen: set[str] = set()
    for data in saes:
        for info in data.columns.values():
            if info.name not in seen and info.doc:
                seen.add(info.name)
                unit = "" if info.unit in {"none", "text", "id"} else UNITS.get(info.unit, info.unit)
                yield Definition(
                    info.name,
                    inline_text(info.label),
                    inline_text(unit),
                    inline_text(info.doc),
                    data.table_of(info.name),
                )


def citation(manifest: Manifest) -> str:
    """A BibTeX entry; there is no year in it because a build has no date."""
    title, author = (
        inline_text(text).replace("{", "(").replace("}", ")") for text in (manifest.title, manifest.author)
    )
    lines = [f"@misc{{feature-atlas-{manifest.build_id},", f"  title = {{{title or 'Feature Atlas'}}},"]
    if author:
        lines.append(f"  author = {{{author}}},")
    if manifest.base_url:
        lines.append(f"  howpublished = {{\\url{{{inline_text(manifest.base_url)}}}}},")
    lines.append(f"  note = {{Feature atlas, build {manifest.build_id}}}")
    return "\n".join([*lines, "}"])
