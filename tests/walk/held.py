"""A page whose slow work stands still until it is let go on: so that what it shows meanwhile can be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = """(() => {
  const { postMessage } = Worker.prototype;
  const { setTimeout } = globalThis;
  let waiting = null;
  const later = (task) => (waiting === null ? task() : waiting.push(task));
  Worker.prototype.postMessage = function (...sent) { later(() => postMessage.apply(this, sent)); };
  globalThis.setTimeout = (task, ms, ...rest) => (ms === 0 && waiting !== null
    ? waiting.push(task) : setTimeout(task, ms, ...rest));
  globalThis.walkHold = (hold) => {
    const tasks = waiting ?? [];
    waiting = hold ? [] : null;
    for (const task of tasks) task();
  };
})();"""
"""Runs before the scripts of a page. Held are messages to workers, and the breaks that long work makes."""


@contextmanager
def held(page: Page) -> Iterator[None]:
    """Hold the slow work of `page` as long as this lasts; then it goes on where it stood."""
    page.evaluate("walkHold(true)")
    try:
        yield
    finally:
        page.evaluate("walkHold(false)")
