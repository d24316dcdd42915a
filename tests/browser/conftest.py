"""The site of the reference packs in a real browser: built once, served under the strictest policy, watched.

Where no Chromium is installed these tests are skipped with a line that says so, unless CBS_BROWSER=required.
"""

import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from watching import Watched

from cbs_analysis.publishing.downloads import publish
from cbs_analysis.publishing.packs import gather
from cbs_analysis.publishing.site import build_site

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))
from packs_made_up import with_facts

ROOT = Path(__file__).resolve().parents[2]
EDITION = "2011-12"
POLICY = "default-src 'self'"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference packs published, as `cbs publish` does it."""
    build = tmp_path_factory.mktemp("build")
    for area in ("5LE", "SEL", "LON"):
        shutil.copytree(ROOT / "tests" / "notebooks" / area, build / "editions" / EDITION / area)
    with_facts(build / "editions" / EDITION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CBS_BUILD", str(build))
        edited, packs = gather(EDITION)
        assert publish(edited, packs).failed == {}
        return build_site(EDITION).parent


class _Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *said: object) -> None:
        pass


@pytest.fixture(scope="session")
def base(site: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CBS_BROWSER") == "required":
            pytest.fail("no Chromium is installed, and CBS_BROWSER=required")
        pytest.skip("no Chromium is installed; on Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=found, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A desktop window; `@pytest.mark.parametrize("context", [{...}], indirect=True)` for another."""
    options = {"viewport": {"width": 1280, "height": 900}, "accept_downloads": True, **getattr(request, "param", {})}
    made = browser.new_context(**options)
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext, base: str) -> Watched:
    return Watched(context.new_page(), base)
