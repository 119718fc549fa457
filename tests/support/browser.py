"""A real Chromium that records everything a page does and can reach nothing but this machine."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tests.support.requirements import chromium_path

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Playwright

QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-extensions",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)
"""Chromium talks to nobody by itself, finds no host but this machine, and draws WebGL in software."""

PATIENCE = 120_000
"""Milliseconds after which what a test waits for counts as missing; only failing tests take them."""

VIOLATIONS = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`CSP ${event.violatedDirective}: ${event.blockedURI}`));
"""
"""Runs before any script of a page: a blocked resource becomes a line of the console."""


@dataclass
class Record:
    """Everything that happened in one browser context."""

    console: list[str] = field(default_factory=list[str])
    """`type: text` of every console message, debugging ones included."""
    errors: list[str] = field(default_factory=list[str])
    """Uncaught exceptions."""
    dialogs: list[str] = field(default_factory=list[str])
    """Texts of alert, confirm, prompt and beforeunload; each was dismissed."""
    requests: list[str] = field(default_factory=list[str])
    """URL of every request, in order."""
    failed: list[str] = field(default_factory=list[str])
    """`URL: reason` of every request that got no answer, and `URL: status` of answers from 400 up."""
    popups: list[str] = field(default_factory=list[str])
    """URL of every window that a page opened."""

    def foreign(self, allowed: str) -> list[str]:
        """The requests that left `allowed` (a URL prefix); `data:` and `blob:` never leave the page."""
        inside = (allowed, "data:", "blob:", "about:")
        return [url for url in self.requests if not url.startswith(inside)]

    def problems(self, allowed: str) -> list[str]:
        """Everything that a healthy page has none of; compare with `[]`.

        A file that was still on its way when the test went to another page is no fault of either page.
        """
        found = [f"console {line}" for line in self.console]
        found += [f"exception {line}" for line in self.errors]
        found += [f"dialog {line}" for line in self.dialogs]
        found += [f"failed {line}" for line in self.failed if not line.endswith("net::ERR_ABORTED")]
        found += [f"popup {line}" for line in self.popups]
        return found + [f"left the folder: {url}" for url in self.foreign(allowed)]


@dataclass
class Visit:
    """One page in its own fresh browser context."""

    page: Page
    record: Record

    def open(self, url: str) -> Page:
        """Go to `url`, wait until its load event, and return the page."""
        self.page.goto(url, wait_until="load")
        return self.page


class Visitor:
    """Opens fresh contexts of one browser; `close` closes those still open."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def __call__(
        self,
        *,
        javascript: bool = True,
        scheme: Literal["light", "dark"] = "light",
        size: tuple[int, int] = (1280, 800),
        reduced_motion: Literal["reduce", "no-preference"] = "reduce",
        permissions: Sequence[str] = (),
        workers: Literal["allow", "block"] = "block",
    ) -> Visit:
        """A page in a new context (no storage, no cache), recorded from its first byte.

        `workers` says whether it may install service workers.
        """
        context = self._browser.new_context(
            java_script_enabled=javascript,
            color_scheme=scheme,
            viewport={"width": size[0], "height": size[1]},
            reduced_motion=reduced_motion,
            locale="en-GB",
            timezone_id="UTC",
            service_workers=workers,
            permissions=list(permissions),
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE)
        if javascript:
            context.add_init_script(VIOLATIONS)
        record = Record()
        _listen(context, record)
        return Visit(context.new_page(), record)

    def close(self) -> None:
        """Close every context this visitor opened."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()


def _listen(context: BrowserContext, record: Record) -> None:
    def dismiss(dialog: Dialog) -> None:
        record.dialogs.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def opened(page: Page) -> None:
        page.on("popup", lambda popup: record.popups.append(popup.url))
        page.on("pageerror", lambda error: record.errors.append(str(error)))

    context.on("console", lambda message: record.console.append(f"{message.type}: {message.text}"))
    context.on("dialog", dismiss)
    context.on("page", opened)
    context.on("request", lambda request: record.requests.append(request.url))
    context.on("requestfailed", lambda request: record.failed.append(f"{request.url}: {request.failure}"))
    context.on("response", lambda answer: _note_status(record, answer.url, answer.status))


def _note_status(record: Record, url: str, status: int) -> None:
    if status >= 400:
        record.failed.append(f"{url}: {status}")


def browser_present(playwright: Playwright) -> bool:
    """Whether a Chromium can be started: one on PATH, or Playwright's own download."""
    if chromium_path() is not None:
        return True
    return shutil.which(playwright.chromium.executable_path) is not None


@contextlib.contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """A headless Chromium, without its sandbox: as root and in most containers it would not start."""
    browser = playwright.chromium.launch(
        executable_path=chromium_path(),
        headless=True,
        chromium_sandbox=False,
        args=list(QUIET),
    )
    try:
        yield browser
    finally:
        browser.close()


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as _playwright, launched(_playwright) as _browser:
        sys.stdout.write(f"Chromium {_browser.version} starts\n")
