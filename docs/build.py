"""What the pages need before MkDocs or Zensical builds them.

Executes the guides and writes their text, output and figures to docs/guides/; draws the
plots of docs/plots/ from the results of benchmarks/; writes the inventory of Keras's names.

    pip install -e ".[tensorflow,all]" --group docs && python docs/build.py && mkdocs serve

A guide `guides/NAME.md` of mkdocs.yml is made from examples/guides/NAME.py, or from
examples/NAME.py. It is skipped while nothing has changed that it depends on.
"""

import argparse
import hashlib
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jupytext
import plots
from jinja2 import DictLoader
from mkdocstrings import Inventory
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GUIDES = DOCS / "guides"

# As in nbconvert's Markdown, but with the alternative text of the cell's figure, and with
# what went to standard output in fences.
TEMPLATE = r"""
{%- extends 'markdown/index.md.j2' -%}
{%- block data_png -%}
![{{ cell.metadata.alt }}]({{ output.metadata.filenames['image/png'] | path2url }})
{% endblock -%}
{%- block stream -%}
{%- if output.name == "stdout" -%}
```text
{{ output.text.strip('\n') | strip_ansi }}
```
{% endif -%}
{% endblock -%}
{%- block data_text -%}
```text
{{ output.data['text/plain'] | trim | strip_ansi }}
```
{% endblock -%}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("guides", nargs="*", help="names; all of mkdocs.yml by default")
    names = parser.parse_args().guides or guides_in_nav()
    write_keras_inventory()
    plots.main()
    GUIDES.mkdir(exist_ok=True)
    # A kernel mostly waits: for its start, and for what it compiles on one core.
    with ProcessPoolExecutor(max_workers=2) as pool:
        list(pool.map(build_guide, names))


def write_keras_inventory():
    """Where keras.io, which has no inventory, keeps the names that our pages link to."""
    inventory = Inventory(project="keras", version="3")
    for line in (DOCS / "keras_names.txt").read_text().splitlines():
        name, address = line.split()
        inventory.register(name, domain="py", role="any", uri=address)
    (DOCS / "assets" / "keras.inv").write_bytes(inventory.format_sphinx())


def guides_in_nav():
    listed = re.findall(r"guides/(\w+)\.md\s*$", (ROOT / "mkdocs.yml").read_text(), re.M)
    return [name for name in listed if name != "index"]


def source_of(name):
    places = [ROOT / "examples" / "guides", ROOT / "examples"]
    found = [place / f"{name}.py" for place in places if (place / f"{name}.py").exists()]
    if not found:
        raise SystemExit(
            f"The guide {name!r} must be a file of examples/guides/ or examples/. "
            "Take it out of the nav of mkdocs.yml, or write it."
        )
    return found[0]


def build_guide(name):
    started = time.perf_counter()
    source, page = source_of(name), GUIDES / f"{name}.md"
    stamp = f"<!-- made from {digest_of_sources(source)} -->"
    if page.exists() and page.read_text().endswith(stamp + "\n"):
        print(f"{name}: up to date")
        return
    notebook = executed(jupytext.read(source), source)
    body, figures = markdown_of(notebook, name)
    for figure, data in figures.items():
        (GUIDES / figure).write_bytes(data)
    page.write_text(f"{body.strip()}\n\n{stamp}\n")
    print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)


def digest_of_sources(source):
    """Of the guide, of this script, and of all that a guide may import or read."""
    files = [source, Path(__file__), *sorted((ROOT / "keras_manifold").rglob("*.py"))]
    files += sorted((DOCS / "images").glob("*.txt"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def executed(notebook, source):
    """The notebook with its output. Fails with the cell that failed."""
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    # The kernel's folder is examples/, from which it finds the repository at "..".
    client = NotebookClient(
        notebook,
        timeout=300,
        coalesce_streams=True,
        resources={"metadata": {"path": str(ROOT / "examples")}},
    )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    )
    client.execute()
    for cell in notebook.cells:
        check_alternative_text(cell, source)
    return notebook


def check_alternative_text(cell, source):
    has_figure = any(
        "image/png" in output.get("data", {}) for output in cell.get("outputs", [])
    )
    if has_figure and not cell.metadata.get("alt"):
        raise SystemExit(
            f"{source.name}: a cell that shows a figure must say what is seen on it, as in "
            f'# %% alt="Two curves, ...". Received: a cell without, {cell.source[:60]!r}'
        )


def markdown_of(notebook, name):
    """The page, and its figures by file name."""
    exporter = MarkdownExporter(extra_loaders=[DictLoader({"guide": TEMPLATE})])
    exporter.template_file = "guide"
    body, resources = exporter.from_notebook_node(
        notebook, {"unique_key": name, "output_files_dir": ""}
    )
    return body, resources["outputs"]


if __name__ == "__main__":
    sys.exit(main())
