"""What the documentation promises: entries, sections, shapes, links, and fresh figures."""

import hashlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_manifold as km
from keras_manifold._storage.files import locked

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MODULES = {
    name: thing for name in km.__all__ if inspect.ismodule(thing := getattr(km, name))
}

# Written by docs/build.py, which fails where they are wrong.
WRITTEN_PAGES = [p for p in DOCS.rglob("*.md") if p.parent.name != "guides"]
WRITTEN_PAGES += [
    DOCS / "guides" / "index.md",
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]
GUIDES = sorted((ROOT / "examples" / "guides").glob("*.py"))


def name_in_the_repository(page):
    return str(page.relative_to(ROOT))


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
    for module_name, module in MODULES.items():
        things = defined_in(module).items()
        known = list(found.values())  # under a shorter name, or that of another module
        found |= {f"km.{module_name}.{n}": t for n, t in things if t not in known}
    for name, thing in list(found.items()):
        if inspect.isclass(thing):
            for method_name, method in vars(thing).items():
                method = getattr(method, "__func__", method)
                is_ours = method_name[0] != "_" and not re.search(HOOKS, method_name)
                if inspect.isfunction(method) and is_ours:
                    found[f"{name}.{method_name}"] = method
    return found


# What Keras calls, or (of a sink) we: what it has to do is said where that is documented.
HOOKS = (
    "^(call|build|on_.*|compute_.*|.*_step|.*config|.*own_variables)$"
    "|^(begin|flush|close|make_directory)$"
)
PUBLIC = public_things()
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}

# One needs a notebook; another's is that of `save`.
WITHOUT_EXAMPLE = {"km.sinks.NotebookSink", "km.Curves.load", "km.TangentSpace.load"}
# Arguments that are arrays, unless the text says otherwise.
ARRAYS = {"x", "images", "codes", "singular_values", "a", "b", "tangents", "tangent"}


SHAPE = r"`\([^`]*\)`|any shape|shapes? (and \w+ )?of|[Tt]he same|same shape"


def sections(thing):
    """Text of each section of a Google docstring, the summary under ""."""
    parts = re.split(r"^([A-Z][a-z]+(?: [a-z]+)?):$", inspect.getdoc(thing), flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def entries(section):
    """Texts of a section's entries, by name."""
    section = inspect.cleandoc(section)
    return dict(re.findall(r"^(\**\w+): (.*?)(?=^\S|\Z)", section, flags=re.M | re.S))


def parameters(thing):
    if getattr(thing, "_is_protocol", False):
        return []  # nobody makes one
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
    owners = {path, path.rpartition(".")[0], path.partition(".")[0]}
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
    assert returned is not inspect.Signature.empty, "no annotation"
    if returned not in (None, "None"):
        assert "Returns" in sections(FUNCTIONS[name])


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_that_raises_says_so(name):
    thing = PUBLIC[name]
    body = thing.__init__ if inspect.isclass(thing) else thing
    body = inspect.unwrap(body)
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
        is_array = entry in ARRAYS or re.search(r"\b(array|tensor)s?\b", text, re.I)
        is_other = re.match(r"\s*(Mapping|Callables?|Whether|Keras model)\b", text)
        if is_array and not is_other:
            assert re.search(SHAPE, text), entry


@pytest.mark.parametrize("name", [n for n in PUBLIC if n not in WITHOUT_EXAMPLE])
def test_everything_public_has_an_example(name):
    assert ">>>" in sections(PUBLIC[name]).get("Examples", "")


def exists(page, target):
    """Whether a relative link leads somewhere, once the guides and plots are built."""
    path = (page.parent / target.partition("#")[0]).resolve()
    sources = {
        "guides": [ROOT / "examples/guides" / f"{path.stem}.py"],
        "plots": [DOCS / "plots.py"],
    }
    return path.exists() or any(p.exists() for p in sources.get(path.parent.name, []))


@pytest.mark.parametrize("page", [*WRITTEN_PAGES, *GUIDES], ids=name_in_the_repository)
def test_every_relative_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    text = text.replace("\n# ", "\n") if page.suffix == ".py" else text
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    place = DOCS / "guides" / page.name if page.suffix == ".py" else page
    relative = [t for t in targets if not re.match(r"https?://|#", t)]
    assert [target for target in relative if not exists(place, target)] == []


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=name_in_the_repository)
def test_every_picture_says_what_is_seen(page):
    for text in re.findall(r"!\[([^\]]*)\]", page.read_text()):
        assert len(text.split()) >= 5


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=name_in_the_repository)
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


def test_first_steps_take_at_most_ten_lines_for_each_kind_of_data():
    text = (ROOT / "examples" / "guides" / "first_steps.py").read_text("utf-8")
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)[1:]
    lines = [[line for line in c.splitlines()[1:] if line[:1] not in "#"] for c in cells]
    counts = [len(cell) for cell in lines if cell]
    assert len(counts) == 6  # imports, and five tasks
    assert max(counts) <= 10, counts


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
    sources = {path for path in digests if path.suffix == ".py"}
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


def errors_in_the_faq():
    """What the FAQ quotes of each error, as one line or "", by the heading."""
    text = (DOCS / "faq.md").read_text().partition("## Errors\n")[2].partition("\n## ")[0]
    for part in text.split("\n### ")[1:]:
        quotes = re.findall(r"```text\n(\w+Error: .*?)```", part, flags=re.S)
        yield part.partition("\n")[0], " ".join("".join(quotes).split())


ERRORS = dict(errors_in_the_faq())
# Others say these.
NOT_OURS = ("Could not locate class", "Input 0 ...", "Negative dimension", "CUDA, oneDNN")
X = np.zeros((4, 8, 8, 1), "float32")
ANY_ERROR = (ValueError, TypeError, FloatingPointError, OSError, ImportError)
ANY_ERROR += (NotImplementedError,)


def fit(*arguments, **options):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=16, units=())
    model.compile("sgd", loss="mse")
    return model.fit(*arguments, **options, verbose=0)


def mix_samples(folder):
    km.tangent_space(SimpleNamespace(encoder=Mean()), X)


def pass_integers(folder):
    inputs = keras.Input((3,), dtype="uint8")
    km.jacobian(keras.Sequential([inputs, keras.layers.Dense(2)]), np.ones((2, 3)))


def go_on_with_other_samples(folder):
    for value in (1.0, 2.0):
        km.tangent_space(keras.ops.tanh, np.full((2, 3), value), path=folder / "run")


def join_a_missing_part(folder):
    km.tangent_space(
        keras.ops.tanh, np.ones((3, 2)), batch_size=1, path=folder / "run", part=(0, 2)
    )
    km.TangentSpace.load(folder / "run")


def go_on_with_parts_of_another_size(folder):
    for n in (2, 3):
        km.tangent_space(
            keras.ops.tanh, np.ones((3, 2)), batch_size=1, path=folder / "run", part=(0, n)
        )


def run_twice(folder):
    for _ in range(2):
        fit(X, epochs=2, callbacks=[km.TangentAnalyzer(X, k=1, directory=folder)])


def write_beside_another_run(folder):
    with locked(folder / "lock"):
        locked(folder / "lock")


def write_without_zarr(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "zarr", None)
        km.tangent_space(keras.ops.tanh, np.ones((2, 3)), path=folder / "run")


def differentiate_with_numpy(folder):
    pytest.importorskip("jax", reason="Keras's NumPy backend needs JAX, an extra")
    program = "import keras_manifold as km; km.jacobian(lambda x: x, [[1.0]])"
    command = [sys.executable, "-c", program]
    environment = os.environ | {"KERAS_BACKEND": "numpy"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    raise NotImplementedError(run.stderr.rpartition("NotImplementedError: ")[2])


PROVOKED = {
    "`x` must be of shape": lambda folder: km.jacobian(keras.ops.sin, np.ones(64)),
    "`encoder` must map": mix_samples,
    "`function` must take": pass_integers,
    "`k` must be": lambda folder: km.tangent_space(keras.ops.tanh, np.ones((2, 16)), k=17),
    "The target must": lambda folder: fit(X, np.arange(4)),
    "`class_weight` must": lambda folder: fit(X, class_weight={0: 1.0}),
    "`level` must": lambda folder: km.NoiseInjection("masking", 1.4),
    "`training` must": lambda folder: km.NoiseInjection("gaussian", 0.1)(X, training="a"),
    "PenaltySchedule needs": lambda folder: fit(
        X, callbacks=[km.PenaltySchedule(lambda epoch, weight: 0.1)]
    ),
    "The Jacobian must": lambda folder: km.tangent_space(keras.ops.sqrt, np.zeros((3, 2))),
    "`x` must be finite": lambda folder: km.tangent_space(
        keras.ops.sin, np.full((3, 2), np.inf)
    ),
    "`directory` must be new": run_twice,
    "All 4 parts": join_a_missing_part,
    "`path` must be new": go_on_with_parts_of_another_size,
    "`path` must hold": go_on_with_other_samples,
    "Another run holds": write_beside_another_run,
    "Results on disk need": write_without_zarr,
    "Derivatives need": differentiate_with_numpy,
}


@pytest.mark.parametrize("heading", [h for h in ERRORS if not h.startswith(NOT_OURS)])
def test_errors_are_quoted_in_the_faq_as_they_are(heading, tmp_path):
    (provoke,) = [call for words, call in PROVOKED.items() if heading.startswith(words)]
    with pytest.raises(ANY_ERROR) as raised:
        provoke(tmp_path)
    message = without_numbers(f"{raised.type.__name__}: {raised.value}")
    for words in heading.split("..."):
        assert without_numbers(words) in message
    quoted = without_numbers(ERRORS[heading]).partition("Received")[0]
    assert message.startswith(quoted.rstrip("."))


def ratios(text, *labels):
    """The first number in the cell of the table's row that begins with each label."""
    return [
        float(re.search(rf"^\| {re.escape(label)} \|[^|]*\| ([\d.]+)", text, re.M)[1])
        for label in labels
    ]


def of_probes_and_exact():
    text = (ROOT / "benchmarks/results/penalty_step.md").read_text()
    backends = ("TensorFlow", "PyTorch", "JAX")
    ours = [f"{backend}: keras_manifold" for backend in backends]
    probe = ratios(text, *(f"{name}, one probe" for name in ours))
    exact = ratios(text, *(f"{name}, exact" for name in ours))
    return [100 * max(probe) - 100, min(exact), max(exact)]


def of_symmetries():
    text = (DOCS / "images/symmetries.txt").read_text()
    (line,) = re.findall("^encoder tangents capture.*", text, re.M)
    return [float(number) for number in re.findall(r"× ([\d.]+) ±", line)]


def of_the_circle():
    text = (DOCS / "images/manifolds.txt").read_text()
    plain = re.findall(r"reconstruction +[\d.]+ +([\d.]+) +[\d.]+ +([\d.]+)", text)[0]
    return [float(plain[1]), float(plain[0])]


WORDS = {"two": 2, "three": 3, "five": 5, "six": 6}
A = r"(\d+(?:\.\d+)?|two|three|five|six)"  # a number


@pytest.mark.parametrize(
    ("page", "pattern", "measured"),
    [
        (
            "docs/how_it_works.md",
            rf"up to {A} percent, the exact penalty {A} to {A} times",
            of_probes_and_exact,
        ),
        (
            "examples/guides/contraction.py",
            rf"up to {A} % more than a plain step.*: {A} to {A} plain steps at 32 codes",
            of_probes_and_exact,
        ),
        ("docs/known_truth.md", rf"{A} and {A} times what the plain", of_symmetries),
        (
            "examples/guides/choosing_noise_and_penalty.py",
            rf"by a factor of {A}, a penalty of 0.1 by a factor of {A}",
            of_symmetries,
        ),
        (
            "examples/guides/spectrum.py",
            rf"there: {A} dimensions of the circle, and an angle of {A}°",
            of_the_circle,
        ),
    ],
)
def test_numbers_in_the_text_are_those_of_the_runs(page, pattern, measured):
    text = (ROOT / page).read_text().replace("\n# ", " ").replace("\n", " ")
    said = [WORDS.get(word) or float(word) for word in re.search(pattern, text).groups()]
    for number, found in zip(said, measured(), strict=True):
        # To half a unit of the last digit, or to 5 where a number is round.
        step = 0.1 if number % 1 else 5 if number % 5 == 0 and number > 5 else 1
        assert abs(number - found) <= step / 2, (number, found)


def without_numbers(text):
    return re.sub(r"\d+(\.\d+)?", "#", text)
