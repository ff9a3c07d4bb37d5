"""What is checked, a session each: `nox --list` names them, `nox -s lint` runs one.

Each session installs what it needs into an environment of its own. In an environment that
has it all (CONTRIBUTING.md), `nox --no-venv` installs nothing and is faster. `.ci/run` is
the gate and calls most of them: not `tests_without_tensorflow`, `tests_newest_python`,
`coverage` and `bench`, for which it has no time.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "types"]
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
NEWEST_PYTHON = "3.13"  # all wheels that the tests need are there
NO_TENSORFLOW = "not slow and not tensorflow"
NOTHING: dict[str, str] = {}
BACKENDS = ["tensorflow", "jax", "torch"]
SETTINGS = nox.project.load_toml(ROOT / "pyproject.toml")
TYPED = 0.94  # share of public names whose types are known; it only rises
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "NO_MKDOCS_2_WARNING": "1"}
IN_EDIT_LINKS = {
    "SITE_URL": "https://example.org/",
    "REPOSITORY_URL": "https://github.com/keras/keras",
    "EDIT_URI": "edit/main/docs/",
}


def install(session: nox.Session, *extras: str, groups: tuple[str, ...] = ()) -> None:
    """Installs the package and groups of what developers need, not with `--no-venv`."""
    if session.venv_backend == "none":
        return
    if "torch" in extras:
        index = "https://download.pytorch.org/whl/cpu"
        session.install("torch", "--index-url", index)
    session.install("-U", "pip")  # 25.1 knows groups
    wanted = [word for group in groups for word in ("--group", group)]
    session.install("-e", f".[{','.join(extras)}]" if extras else ".", *wanted)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format of Python, spelling, TOML, YAML, shell: the hooks of a commit."""
    if session.venv_backend != "none":
        session.install("-U", "pip")  # 25.1 knows groups
        session.install("--group", "lint")
    # Those have sessions of their own: `types` and `page_scripts`.
    with tempfile.TemporaryDirectory() as cache:
        settings = {"SKIP": "types,page-scripts", "PRE_COMMIT_HOME": cache}
        session.run("pre-commit", "run", "--all-files", env=settings)


@nox.session
def types(session: nox.Session) -> None:
    """Types, by mypy; and what an editor knows of the public names, by pyright."""
    install(session, "tensorflow", groups=("types",))
    session.run("mypy")
    report = session.run(
        *("pyright", "--verifytypes", "keras_manifold", "--ignoreexternal", "--outputjson"),
        env={"PYTHONPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        success_codes=[0, 1],  # 1 as long as the score is below 1
        silent=True,
    )
    found = json.loads(report[report.index("{") :])["typeCompleteness"]
    score = found["completenessScore"]
    session.log(f"Public names of known type: {score:.1%}, at least {TYPED:.0%}.")
    if score < TYPED:
        names = (s["name"] for s in found["symbols"] if not s["isTypeKnown"])
        session.error("These have parts of unknown type:", *sorted(names))


def run_tests(
    session: nox.Session, backend: str, *arguments: str, env: Mapping[str, str] = NOTHING
) -> None:
    """Pytest on one backend, with what was written after `--`."""
    environment = QUIET | {"KERAS_BACKEND": backend} | env
    session.run("pytest", "-q", *arguments, *session.posargs, env=environment)


@nox.session
@nox.parametrize("backend", BACKENDS, ids=BACKENDS)
def tests(session: nox.Session, backend: str) -> None:
    """All tests but the slow ones on one backend; arguments after `--` go to pytest."""
    # TensorFlow's tf.data feeds models on every backend.
    extras = dict.fromkeys(["tensorflow", backend, "all"])
    install(session, *extras, groups=("test", "tools", "onnx"))
    run_tests(session, backend, "-n", "2")


@nox.session
@nox.parametrize("backend", ["jax", "torch"], ids=["jax", "torch"])
def tests_without_tensorflow(session: nox.Session, backend: str) -> None:
    """The tests where TensorFlow is not installed, or hidden from Python."""
    install(session, backend, "all", groups=("test",))
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "hidden"), str(ROOT)])}
    run_tests(session, backend, "-n", "2", "-m", NO_TENSORFLOW, env=paths)


@nox.session(python=NEWEST_PYTHON)
def tests_newest_python(session: nox.Session) -> None:
    """The tests on JAX with the newest Python that has wheels of all we need."""
    install(session, "jax", "all", groups=("test",))
    run_tests(session, "jax", "-n", "2", "-m", NO_TENSORFLOW)


@nox.session
def coverage(session: nox.Session) -> None:
    """Branches that the tests of all backends reach, and errors that none does.

    Half an hour. `nox -s coverage -- torch` takes one backend, whose lines count alone.
    """
    install(session, *BACKENDS, "all", groups=("test", "tools", "onnx"))
    with tempfile.TemporaryDirectory() as folder:
        found = {"COVERAGE_FILE": f"{folder}/.coverage"}
        for backend in session.posargs or BACKENDS:
            command = ("pytest", "-q", "-n", "2", "--cov", "--cov-append", "--cov-report=")
            session.run(*command, env=QUIET | found | {"KERAS_BACKEND": backend})
        session.run("coverage", "report", env=found)
        session.run("python", ".ci/unreached_raises.py", found["COVERAGE_FILE"])


@nox.session
def tests_oldest(session: nox.Session) -> None:
    """The tests with the oldest Keras that pyproject.toml admits."""
    (keras,) = (
        word for word in SETTINGS["project"]["dependencies"] if word.startswith("keras>=")
    )
    oldest = keras.removeprefix("keras>=")
    install(session, "tensorflow", "all", groups=("test", "tools", "onnx"))
    if session.venv_backend != "none":
        session.install(f"keras=={oldest}.0")
    session.run(
        "python",
        "-c",
        f"import keras; assert keras.__version__ == '{oldest}.0', keras.__version__",
        env=QUIET,
    )
    # Where Keras is called; the rest of the package does not know its version.
    called = ("autoencoder", "jacobians", "saving", "training")
    called += ("tangent", "tangent_kept", "tangent_refused")
    files = [f"tests/test_{name}.py" for name in called]
    run_tests(session, "tensorflow", "-n", "2", "tests/map", "tests/penalties", *files)


@nox.session
def docs(session: nox.Session) -> None:
    """Executes the guides, and builds the pages with what publishing sets."""
    install(session, "tensorflow", "all", groups=("docs",))
    session.run("python", "docs/build.py", env=QUIET)
    session.run("zensical", "build", "--strict", env=QUIET)
    with tempfile.TemporaryDirectory() as site:
        build = ("mkdocs", "build", "--strict", "--site-dir", site)
        session.run(*build, env=QUIET | IN_EDIT_LINKS)
        pages = Path(site).rglob("index.html")
        without = [str(p) for p in pages if 'rel="edit"' not in p.read_text()]
    if without:
        session.error("These pages have no link to edit them:", *without)


@nox.session
def pages(session: nox.Session) -> None:
    """Looks at each page of the documentation in a browser; after `docs`."""
    install(session, "tensorflow", "all", groups=("docs", "tools"))
    with tempfile.TemporaryDirectory() as site:
        session.run("mkdocs", "build", "--strict", "--site-dir", site, env=QUIET)
        session.run("python", "docs/check_pages.py", site, env=QUIET)


@nox.session
def page_scripts(session: nox.Session) -> None:
    """Lint and types of the scripts of a run's page, by npm."""
    folder = ROOT / "tools" / "page"
    if not folder.exists():
        session.skip("tools/page is not there")
    with session.chdir(folder):
        session.run("npm", "ci", external=True)
        session.run("npm", "run", "check", external=True)


@nox.session
def wheel(session: nox.Session) -> None:
    """Builds the wheel, installs it elsewhere, and trains and writes a page with it."""
    install(session, "tensorflow")
    with tempfile.TemporaryDirectory() as elsewhere:
        folder = Path(elsewhere)
        pip = ("python", "-m", "pip", "-q")
        session.run(*pip, "wheel", "--no-deps", "-w", elsewhere, str(ROOT))
        (built,) = folder.glob("*.whl")
        target = folder / "installed"
        session.run(*pip, "install", "--no-deps", "--target", str(target), str(built))
        with session.chdir(folder):
            session.run(
                "python",
                str(ROOT / ".ci" / "try_wheel.py"),
                str(target),
                env=QUIET | {"PYTHONPATH": str(target)},
            )


@nox.session
def import_time(session: nox.Session) -> None:
    """How long the import takes, beside that of Keras alone."""
    install(session, "tensorflow")
    environment = QUIET | {"PYTHONPATH": str(ROOT)}
    session.run("python", ".ci/import_time.py", env=environment)


@nox.session
@nox.parametrize("backend", BACKENDS)
def speed(session: nox.Session, backend: str) -> None:
    """Five figures: an alert where one is 1.5 times what it was; `-- keep` keeps them."""
    install(session, "tensorflow", "jax", "torch")
    environment = QUIET | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": backend}
    options = [] if "keep" in session.posargs else ["--check"]
    session.run("python", "benchmarks/figures.py", *options, env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks, hours: `nox -s bench -- penalty step` runs a part of one."""
    install(session, "tensorflow", "jax", "torch", "all")
    names = [p.stem for p in sorted((ROOT / "benchmarks").glob("*.py"))]
    name, *parts = session.posargs or [""]
    chosen = [name] if name else [n for n in names if n != "workers"]
    if not set(chosen) <= set(names):
        session.error(f"Expected one of {names}. Received: {name!r}.")
    environment = QUIET | {"PYTHONPATH": str(ROOT)}
    for benchmark in chosen:
        session.run("python", f"benchmarks/{benchmark}.py", *parts, env=environment)
