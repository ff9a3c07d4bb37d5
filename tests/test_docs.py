"""What the documentation promises: entries, sections, shapes, links, and fresh figures."""

import hashlib
import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_manifold as km

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MODULES = {
    name: thing for name in km.__all__ if inspect.ismodule(thing := getattr(km, name))
}

# Where results go; the callbacks themselves are names of the package.
SINKS = set(km.callbacks.__all__) - set(km.__all__)
# Written by docs/build.py, which fails where they are wrong.
WRITTEN_PAGES = [p for p in DOCS.rglob("*.md") if p.parent.name != "guides"]
WRITTEN_PAGES += [
    DOCS / "guides" / "index.md",
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]
GUIDES = sorted((ROOT / "examples" / "guides").glob("*.py"))


def defined_in(module):
    """Public functions and classes of a module, by name."""
    names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    things = {name: getattr(module, name) for name in names}
    return {
        name: thing
        for name, thing in things.items()
        if inspect.isroutine(thing) or inspect.isclass(thing)
        if thing.__module__.startswith(module.__name__)
    }


def public_things():
    """Every public function and class by its full name, and public methods of our own."""
    found = {f"km.{name}": getattr(km, name) for name in km.__all__ if name not in MODULES}
    found |= {f"km.callbacks.{name}": getattr(km.callbacks, name) for name in sorted(SINKS)}
    for module_name, module in MODULES.items():
        found |= {f"km.{module_name}.{n}": t for n, t in defined_in(module).items()}
    for name, thing in list(found.items()):
        if inspect.isclass(thing):
            for method_name, method in vars(thing).items():
                method = getattr(method, "__func__", method)
                if inspect.isfunction(method) and method_name in OWN_METHODS:
                    found[f"{name}.{method_name}"] = method
    return found


# Other methods are Keras's, and documented there.
OWN_METHODS = {
    *("convolutional", "dense", "encode", "decode", "with_outputs"),
    *("leading", "save", "load", "arrays"),
}
PUBLIC = public_things()
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}

# Results that functions return, which nobody makes by hand; one that needs a notebook.
WITHOUT_EXAMPLE = {
    *("km.TangentSpace", "km.manifolds.Manifold"),
    "km.callbacks.NotebookSink",
}


def sections(thing):
    """Text of each section of a Google docstring, the summary under ""."""
    parts = re.split(r"^([A-Z][a-z]+(?: [a-z]+)?):$", inspect.getdoc(thing), flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def entries(section):
    """Texts of a section's entries, by name."""
    section = inspect.cleandoc(section)
    return dict(re.findall(r"^(\**\w+): (.*?)(?=^\S|\Z)", section, flags=re.M | re.S))


def parameters(thing):
    names = inspect.signature(thing).parameters
    return [name for name in names if name not in ("self", "cls")]


def test_names_were_found():
    assert {"km.AutoEncoder", "km.plot.walk", "km.TangentSpace.load"} <= set(PUBLIC)
    assert len(PUBLIC) > 40


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_entry_in_the_api(name):
    entries = re.findall(
        r"^::: keras_manifold\.(\S+)$",
        "\n".join(page.read_text() for page in (DOCS / "api").glob("*.md")),
        flags=re.M,
    )
    path = name.removeprefix("km.")
    # A module and its function may share a name: the page then names both.
    owners = {path, f"{path}.{path}", path.rpartition(".")[0], path.partition(".")[0]}
    assert owners & set(entries)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_parameter_is_described(name):
    thing = PUBLIC[name]
    described = entries(sections(thing).get("Args", ""))
    described |= entries(sections(thing).get("Attributes", ""))
    missing = [p for p in parameters(thing) if p not in {d.lstrip("*") for d in described}]
    assert missing == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_returns(name):
    returned = inspect.signature(FUNCTIONS[name]).return_annotation
    assert returned is not inspect.Signature.empty
    if returned not in (None, "None"):
        assert "Returns" in sections(FUNCTIONS[name])


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_that_raises_says_so(name):
    thing = PUBLIC[name]
    body = thing.__init__ if inspect.isclass(thing) else thing
    is_ours = inspect.isfunction(body) and body.__code__.co_filename.startswith(str(ROOT))
    source = inspect.getsource(body) if is_ours else ""  # a dataclass has a generated one
    if re.search(r"\braise [A-Z]|\b_?check_\w+\(|_checked_\w+\(", source):
        assert "Raises" in sections(thing)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_array_has_a_shape(name):
    found = sections(PUBLIC[name])
    texts = entries(found.get("Args", "")) | entries(found.get("Attributes", ""))
    texts["returned"] = found.get("Returns", "")
    for entry, text in texts.items():
        is_array = re.match(
            r"\s*(NumPy |float32 |Floating-point )?(array|tensor)s?\b", text, re.I
        )
        if is_array:
            assert re.search(r"`\([^`]*\)`|any shape|shapes? (and \w+ )?of", text), entry


@pytest.mark.parametrize("name", [n for n in PUBLIC if n.count(".") <= 2])
def test_everything_public_has_an_example(name):
    is_method = inspect.isclass(PUBLIC.get(name.rpartition(".")[0]))
    if not is_method and name not in WITHOUT_EXAMPLE:
        assert ">>>" in sections(PUBLIC[name]).get("Examples", "")


def exists(page, target):
    """Whether a relative link leads somewhere, once the guides and plots are built."""
    path = (page.parent / target.partition("#")[0]).resolve()
    sources = {
        "guides": [ROOT / "examples/guides" / f"{path.stem}.py"],
        "plots": [DOCS / "plots.py"],
    }
    return path.exists() or any(p.exists() for p in sources.get(path.parent.name, []))


@pytest.mark.parametrize("page", [*WRITTEN_PAGES, *GUIDES], ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    text = text.replace("\n# ", "\n") if page.suffix == ".py" else text
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    place = DOCS / "guides" / page.name if page.suffix == ".py" else page
    relative = [t for t in targets if not re.match(r"https?://|#", t)]
    assert [target for target in relative if not exists(place, target)] == []


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=lambda page: page.name)
def test_every_picture_says_what_is_seen(page):
    for text in re.findall(r"!\[([^\]]*)\]", page.read_text()):
        assert len(text.split()) >= 5


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=lambda page: page.name)
def test_every_page_has_a_description_for_searches(page):
    if page.is_relative_to(DOCS):
        assert re.match(r"---\ndescription: .{20,}\n---\n", page.read_text())


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_guide_opens_with_its_question(guide):
    text = guide.read_text()
    assert re.match(r"# ---\n# description: .{20,}\n# ---\n", text)
    opening = text.split("# %% [markdown]\n")[1].replace("\n# ", " ").replace("\n#", " ")
    assert re.match(r"# # [^*]+  ?\*[^*]+\?\*", opening)


def test_every_guide_is_in_the_navigation_and_in_the_overview():
    navigation = (ROOT / "mkdocs.yml").read_text()
    overview = (DOCS / "guides" / "index.md").read_text()
    assert len(GUIDES) >= 8
    for guide in GUIDES:
        assert f"guides/{guide.stem}.md" in navigation
        assert f"({guide.stem}.md)" in overview


def test_home_and_readme_show_the_same_ten_lines():
    (shown,) = re.findall(r"```python\n.*?```", (DOCS / "index.md").read_text(), flags=re.S)
    assert shown in (ROOT / "README.md").read_text()  # where test_readme.py runs them


def test_the_first_program_of_get_started_runs(tmp_path, monkeypatch):
    text = (DOCS / "get_started.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    monkeypatch.chdir(tmp_path)
    exec(program.replace("epochs=30", "epochs=1"), {})
    assert (tmp_path / "tangents.png").stat().st_size > 5_000


def test_no_figure_is_older_than_its_code():
    """Nor edited: docs/record.py wrote them, and the digests of both."""
    images = DOCS / "images"
    lines = (images / "made_from.txt").read_text().splitlines()
    digests = {ROOT / path: digest for path, digest in map(str.split, lines)}
    sources = {path for path in digests if path.parent == ROOT / "examples"}
    shown = {*images.glob("*.png"), *images.glob("*.txt")} - {images / "made_from.txt"}
    assert shown == digests.keys() - sources
    assert {p.stem for p in sources} == {re.split("[_.]", p.name)[0] for p in shown}
    old = [
        path.name
        for path, digest in digests.items()
        if hashlib.sha256(path.read_bytes()).hexdigest()[:16] != digest
    ]
    assert old == [], "Run docs/record.py for these."


class Mean(keras.layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def quotes_in_the_faq():
    """Errors that the FAQ quotes, as one line each, by their class and first words."""
    blocks = re.findall(r"(?:^> .*\n)+", (DOCS / "faq.md").read_text(), flags=re.M)
    lines = [" ".join(line[2:] for line in block.splitlines()) for block in blocks]
    return [line for line in lines if re.match(r"\w+Error: ", line)]


def without_numbers(text):
    return re.sub(r"\d+(\.\d+)?", "#", text)


@pytest.mark.parametrize(
    ("first_words", "provoke"),
    [
        ("`x` must be of shape", lambda: km.jacobian(keras.ops.sin, np.ones(64))),
        (
            "`encoder` must map each sample",
            lambda: km.tangent_space(SimpleNamespace(encoder=Mean()), np.ones((2, 3))),
        ),
        (
            "`function` must take floating-point",
            lambda: km.jacobian(
                keras.Sequential([keras.Input((3,), dtype="uint8"), keras.layers.Dense(2)]),
                np.ones((2, 3)),
            ),
        ),
        (
            "Codes must be of shape",
            lambda: km.tangent_space(
                lambda x: keras.ops.reshape(x, (-1, 1, 1, 3)), np.ones((2, 3))
            ),
        ),
        (
            "The Jacobian must be finite",
            lambda: km.tangent_space(keras.ops.sin, np.full((3, 2), np.inf)),
        ),
    ],
)
def test_errors_are_quoted_in_the_faq_as_they_are(first_words, provoke):
    (quoted,) = [quote for quote in quotes_in_the_faq() if f": {first_words}" in quote]
    with pytest.raises((ValueError, FloatingPointError)) as raised:
        provoke()
    found = f"{raised.type.__name__}: {raised.value}"
    assert without_numbers(found).startswith(without_numbers(quoted).rstrip("."))
