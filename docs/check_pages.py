"""Looks at each built page in a browser: accessibility, formulas, and requests to others.

    pip install axe-playwright-python && python docs/check_pages.py site [--shots FOLDER]

Each page is opened on a light desk and a dark phone, with --all in all four ways, and given
to axe-core. Serious findings, formulas that did not render, pages wider than the window,
dead links within the site and requests to other hosts fail.
"""

import argparse
import contextlib
import functools
import http.server
import re
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

WIDTHS = {"desk": 1280, "phone": 390}
WAYS = [("light", "desk"), ("dark", "phone")]
ALL_WAYS = [*WAYS, ("dark", "desk"), ("light", "phone")]
SERIOUS = {"serious", "critical"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--shots", type=Path, help="folder for a picture of each page")
    parser.add_argument("--all", action="store_true", help="all four ways")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    site = arguments.site
    pages = sorted(
        page.parent.relative_to(site).as_posix() for page in site.rglob("index.html")
    )
    ways = ALL_WAYS if arguments.all else WAYS
    with ProcessPoolExecutor(max_workers=2) as pool:
        looks = [
            pool.submit(
                look, arguments.site, pages, way, arguments.shots, arguments.browser
            )
            for way in ways
        ]
        looks.append(pool.submit(follow_links, arguments.site, pages, arguments.browser))
        found = [text for one in looks for text in one.result()]
    print("\n".join(found))
    print(f"{len(pages)} pages: {len(found)} findings")
    if found:
        raise SystemExit(1)


@contextlib.contextmanager
def opened(site, executable):
    """A browser, and the address of the site."""
    with served(site) as address, sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        yield (
            playwright.chromium.launch(executable_path=executable, args=arguments),
            address,
        )


def look(site, pages, way, shots, executable):
    """What is wrong with the pages in one way to see them, one text each."""
    scheme, name = way
    found = []
    with opened(site, executable) as (browser, address):
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": WIDTHS[name], "height": 900}
        )
        for page in pages:
            shot = shots and shots / f"{page}-{name}-{scheme}.png"
            found += [
                f"{page} ({name}, {scheme}): {text}"
                for text in findings(context, address, page, shot)
            ]
    return found


def follow_links(site, pages, executable):
    """Dead links of all pages, one text each."""
    found = []
    with opened(site, executable) as (browser, address):
        page = browser.new_page()
        for name in pages:
            page.goto(f"{address}/{name}/")
            dead = dead_links(page, site, address)
            found += [f"{name}: a dead link to {link}" for link in dead]
    return found


def dead_links(page, site, address):
    """Links and pictures of a page that lead nowhere within the site."""
    links = page.evaluate(
        "[...document.querySelectorAll('[href], [src]')].map(e => e.href || e.src)"
    )
    for link in sorted({link for link in links if link.startswith(address)}):
        parts = urlsplit(link)
        path = site / unquote(parts.path).lstrip("/")
        path = path / "index.html" if path.is_dir() else path
        fragment = unquote(parts.fragment)
        is_there = path.exists() and (
            fragment in ("", "__skip") or fragment in ids_of(path)
        )
        if not is_there:
            yield link


@functools.cache
def ids_of(path):
    return set(re.findall(r'\bid="?([^"\s>]+)', path.read_text()))


def served(folder):
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return _Closing(server)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A handler that does not print each request."""

    def log_message(self, *_):
        """Says nothing."""


class _Closing:
    def __init__(self, server):
        self.server = server

    def __enter__(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()


def findings(context, address, name, shot):
    """What is wrong with a page, one text each."""
    page = context.new_page()
    foreign, errors = [], []
    page.on("request", lambda request: foreign.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/{name}/", wait_until="load")
    unrendered = page.evaluate(
        "[...document.querySelectorAll('.arithmatex')]"
        ".filter(f => !f.querySelector('.katex') || f.querySelector('.katex-error'))"
        ".map(f => f.textContent)"
    )
    too_wide = page.evaluate(
        "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    )
    violations = Axe().run(page).response["violations"]
    if shot:
        shot.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shot, full_page=True)
    page.close()
    found = [
        f"a request to {url}" for url in foreign if not url.startswith((address, "data:"))
    ]
    found += [f"an error, {error}" for error in errors]
    found += [f"a formula that is not rendered, {formula}" for formula in unrendered]
    if too_wide > 0:
        found.append(f"{too_wide} pixels wider than the window")
    for violation in violations:
        if violation["impact"] in SERIOUS:
            first = " ".join(violation["nodes"][0]["html"].split())[:160]
            count = len(violation["nodes"])
            found.append(
                f"{violation['id']}, {violation['help']}: {count} times, first {first}"
            )
    return found


if __name__ == "__main__":
    main()
