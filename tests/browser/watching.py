"""The kinds of page that the book has, and a page with all that goes wrong on it."""

from dataclasses import dataclass, field

from playwright.sync_api import Page

KINDS = {
    "front page": "index.html",
    "pack of a PCT": "packs/5LE/index.html",
    "pack of a sector": "packs/SEL/index.html",
    "pack of London": "packs/LON/index.html",
    "population": "packs/5LE/population_and_need.html",
    "emergency care": "packs/5LE/emergency_care.html",
    "planned care": "packs/LON/planned_care.html",
    "outlook": "packs/SEL/outlook.html",
    "indicator": "indicator/daycase_rate_pct.html",
    "size": "indicator/population.html",
    "indicators": "indicators.html",
    "catalogue": "catalogue.html",
    "method": "methods/funnel-ratios.html",
    "methods": "methods/index.html",
    "glossary": "glossary.html",
    "how to read": "reading-a-pack.html",
    "using": "using-the-handbook.html",
    "speed": "speed.html",
    "decision": "decisions/pdf.html",
    "search": "search.html?q=southwark%20day%20case",
}


@dataclass
class Watched:
    """A page with all that went wrong on it: requests elsewhere, files that are not there, errors, refusals."""

    page: Page
    base: str
    elsewhere: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "request", lambda asked: None if asked.url.startswith(self.base) else self.elsewhere.append(asked.url)
        )
        self.page.on("response", lambda got: self.missing.append(got.url) if got.status >= 400 else None)
        self.page.on("console", lambda line: self.said.append(line.text) if line.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, address: str) -> Page:
        self.page.goto(self.base + address)
        return self.page

    def see_everything(self) -> None:
        """Scroll down the page, so that each chart comes into view and is drawn."""
        charts = self.page.locator(".cbs-chart")
        for place in range(charts.count()):
            charts.nth(place).scroll_into_view_if_needed()
            self.page.wait_for_function(
                "place => document.querySelectorAll('.cbs-chart')[place].classList.contains('is-live')", arg=place
            )
