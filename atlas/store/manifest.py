"""The manifest: what a dataset is, what made it, and the SHA-256 of every file in it.

The file is JSON with sorted keys. Its field `manifest_sha256` is the hash of everything else in
canonical form, so that one flipped bit anywhere in the manifest is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from atlas.config import SLUG_PATTERN
from atlas.errors import InputError
from atlas.schema import SCHEMA_VERSION
from atlas.store.files import disk_errors, read_bytes

MANIFEST_NAME = "manifest.json"
FORMAT = "feature-atlas"
HASH_FIELD = "manifest_sha256"

_TABLE = "[a-z][a-z0-9_]{0,59}"
_SLUG = SLUG_PATTERN.removeprefix("^").removesuffix("$")
TABLE_PATTERN = re.compile(_TABLE)
KEY_PATTERN = re.compile(f"(?:{_SLUG}/)?{_TABLE}")
"""A table's key in the manifest: its name, or slug/name for a table of one SAE."""
FILE_PATTERN = re.compile(rf"(?:tables/{_TABLE}|saes/{_SLUG}/{_TABLE})/[0-9]{{4,}}-[0-9a-f]{{16}}\.parquet")
"""The path of a table's file: a fixed shape, so that no manifest can point out of its folder."""

_MAX_BYTES = 256 << 20
_MAX_SLUG = 60


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class FileEntry(_Record):
    """One parquet file of a table."""

    path: str = Field(pattern=f"^{FILE_PATTERN.pattern}$")
    """Path relative to the dataset folder, with forward slashes."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 hex of the file."""
    bytes: int = Field(ge=0)
    """Size of the file in bytes."""
    rows: int = Field(ge=0)
    """Rows in it."""
    feature_start: int | None = Field(None, ge=0)
    """First feature in it; None for a table without features, or an empty file."""
    feature_stop: int | None = Field(None, ge=0)
    """One past the last feature in it; None as `feature_start`."""


class SaeEntry(_Record):
    """One SAE of the atlas."""

    slug: str = Field(pattern=SLUG_PATTERN, max_length=_MAX_SLUG)
    """Path segment of its pages and name of its folder; never changes once published."""
    title: str
    """Name for people (untrusted text)."""
    n_features: int = Field(ge=0)
    """d_sae."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """`atlas.sources.saes.base.SaeFacts` as JSON."""


class Manifest(_Record):
    """All that is known of a dataset. Texts are untrusted: escape them wherever they are shown."""

    format: str = FORMAT
    """Always 'feature-atlas'."""
    schema_version: int = SCHEMA_VERSION
    """Version of the tables' schema (`atlas.schema.SCHEMA_VERSION`)."""
    atlas_version: str = ""
    """Version of the package that created the dataset."""
    created: str | None = None
    """UTC time of creation, only under SOURCE_DATE_EPOCH: equal inputs give equal bytes."""
    title: str = ""
    """Name of the atlas."""
    description: str = ""
    """What it shows."""
    author: str = ""
    """Who made it."""
    base_url: str | None = None
    """Where the site is published."""
    config: dict[str, Any] = Field(default_factory=dict)
    """The configuration as used, `SiteConfig` as JSON."""
    model: dict[str, Any] = Field(default_factory=dict)
    """`atlas.sources.engines.base.ModelFacts` as JSON."""
    corpus: dict[str, Any] = Field(default_factory=dict)
    """kind, description, fingerprint, n_documents, n_tokens_read, context_size, …"""
    stream: dict[str, Any] = Field(default_factory=dict)
    """n_tokens, n_contexts, n_masked, mask (in words), window_before, …"""
    saes: list[SaeEntry] = Field(default_factory=list[SaeEntry])
    """The SAEs, in the order of the configuration."""
    enrichers: dict[str, str] = Field(default_factory=dict)
    """Enricher name → the exact definition of what it computed."""
    browser_model: dict[str, Any] = Field(default_factory=dict)
    """The model for browsers, `atlas.store.browser_model.ModelPayload` as JSON; empty where there is none."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Library name → version."""
    stages: dict[str, str] = Field(default_factory=dict)
    """Finished stage → digest of its inputs."""
    tables: dict[str, list[FileEntry]] = Field(default_factory=dict)
    """Table key ('documents' or '<slug>/features') → its files, in row order."""

    @cached_property
    def build_id(self) -> str:
        """12 hex digits that name exactly this content: the SHA-256 of the canonical JSON, cut."""
        return _digest(self.model_dump(mode="json"))[:12]

    @model_validator(mode="after")
    def _distinct_slugs(self) -> Self:
        """Two SAEs of one slug would write over each other's tables."""
        slugs = [entry.slug for entry in self.saes]
        if len(set(slugs)) != len(slugs):
            raise ValueError(f"SAE slugs are not distinct: {slugs}")
        return self

    def sae(self, slug: str) -> SaeEntry | None:
        """The entry of SAE `slug`, or None."""
        return next((entry for entry in self.saes if entry.slug == slug), None)


def new_manifest() -> Manifest:
    """An empty manifest of this version of atlas."""
    return Manifest(atlas_version=_atlas_version(), created=_creation_time())


def table_key(table: str, sae: str | None = None) -> str:
    """Key of a table in the manifest; `InputError` when a name could not be a folder's name."""
    key = table if sae is None else f"{sae}/{table}"
    if len(key) > _MAX_SLUG * 2 + 1 or not KEY_PATTERN.fullmatch(key) or key.count("/") != (sae is not None):
        raise InputError(
            f"{key!r} cannot name a table",
            fix="table names are a-z, 0-9 and _; SAE slugs are a-z, 0-9 and -",
        )
    return key


def table_folder(key: str) -> str:
    """Folder of the table `key` relative to the dataset, with forward slashes."""
    return f"saes/{key}" if "/" in key else f"tables/{key}"


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest file's bytes: equal manifests give equal bytes; NaN and infinities become null.

    `TypeError` or `ValueError` for other values that JSON does not have.
    """
    return _encode(manifest.model_dump(mode="json"))


def decode_manifest(data: bytes, where: str) -> Manifest:
    """The manifest in `data`; `InputError` naming `where` if it is foreign, damaged or newer."""
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the manifest is not readable JSON ({_brief(error)})", where=where, fix=_RESTORE
        ) from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise InputError("this is not the manifest of an atlas dataset", where=where, fix=_POINT)
    claimed = raw.pop(HASH_FIELD, None)
    try:
        intact = claimed == _digest(raw) and data == _encode(raw)
    except (ValueError, RecursionError):
        intact = False
    if not intact:
        raise InputError(
            "the manifest does not match its own hash: it was edited or damaged", where=where, fix=_RESTORE
        )
    _check_version(raw, where)
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"manifest field {key}: {first['msg']}", where=where, fix=_RESTORE) from error


def load_manifest(folder: Path) -> Manifest:
    """The manifest of the dataset in `folder`; `InputError` or `DiskError` when there is none to read."""
    path = folder / MANIFEST_NAME
    with disk_errors(path):
        found = path.is_file()
    if not found:
        raise InputError("there is no atlas dataset here (no manifest.json)", where=str(folder), fix=_POINT)
    return decode_manifest(read_bytes(path, _MAX_BYTES), str(path))


_RESTORE = "restore the dataset from a copy, or delete the folder and build again"
_POINT = "give the folder that `atlas build` wrote (build/data by default)"


def _check_version(raw: dict[str, Any], where: str) -> None:
    """`InputError` unless this version of atlas reads the schema of `raw`."""
    found = raw.get("schema_version")
    if not isinstance(found, int) or found < 1:
        raise InputError(f"schema_version {found!r} is not a version", where=where, fix=_RESTORE)
    if found > SCHEMA_VERSION:
        raise InputError(
            f"the dataset has schema version {found}; this atlas reads up to {SCHEMA_VERSION}",
            where=where,
            fix=f"upgrade feature-atlas (the dataset was written by {raw.get('atlas_version')!r})",
        )


def _canonical(raw: dict[str, Any]) -> bytes:
    return json.dumps(raw, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _digest(raw: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(raw)).hexdigest()


def _encode(raw: dict[str, Any]) -> bytes:
    whole = {**raw, HASH_FIELD: _digest(raw)}
    return (json.dumps(whole, sort_keys=True, indent=1, allow_nan=False) + "\n").encode("ascii")


def _brief(error: BaseException) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]


def _creation_time() -> str | None:
    """SOURCE_DATE_EPOCH as UTC time; None without it, `InputError` where it is no time."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch:
        return None
    try:
        return datetime.fromtimestamp(int(epoch), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"SOURCE_DATE_EPOCH is {epoch[:40]!r}, which is no time",
            where="the environment",
            fix="unset it, or set it to seconds since 1970",
        ) from error


def _atlas_version() -> str:
    try:
        return version("feature-atlas")
    except PackageNotFoundError:
        return ""
