"""One change to a small project each: its text, its options, the tensors of its SAE."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.projects import D_SAE, Project, jsonl


def text(content: bytes | str) -> Callable[[Project], None]:
    """The corpus is one file with this content."""

    def change(project: Project) -> None:
        project.text = content

    return change


def documents(*texts: str) -> Callable[[Project], None]:
    """The corpus is these documents."""

    def change(project: Project) -> None:
        project.files["texts.jsonl"] = jsonl(texts)
        project.config["corpus"] |= {"kind": "jsonl", "paths": ["texts.jsonl"]}

    return change


def lines(content: str) -> Callable[[Project], None]:
    """The corpus is a JSON Lines file with this content, valid or not."""

    def change(project: Project) -> None:
        documents()(project)
        project.files["texts.jsonl"] = content

    return change


def option(section: str, **values: object) -> Callable[[Project], None]:
    """Options of one section of the config."""

    def change(project: Project) -> None:
        project.config[section] = project.config.get(section, {}) | values

    return change


def tensor(name: str, value: float, at: object = ...) -> Callable[[Project], None]:
    """A value in one tensor of the SAE: everywhere, or at an index."""

    def change(project: Project) -> None:
        if name == "threshold":
            project.architecture = "jumprelu"
            project.resize(D_SAE)
        project.weights[name][at] = value

    return change


def size(d_sae: int, **enrich: object) -> Callable[[Project], None]:
    """An SAE of `d_sae` features."""

    def change(project: Project) -> None:
        project.resize(d_sae)
        project.config["enrich"] |= enrich

    return change


def no_weight(name: str) -> Callable[[Project], None]:
    """A tensor is missing."""

    def change(project: Project) -> None:
        del project.weights[name]

    return change
