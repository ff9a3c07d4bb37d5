"""Processes that take turns, so that each way of writing a thing sees the same machine."""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
PACKAGES = ("keras", "tensorflow", "torch", "jax", "numpy")


class Worker:
    """A process with its own framework that takes steps when it is told to.

    Args:
        script: File that calls `serve` when it gets `--worker` and a task in JSON.
        backend: `KERAS_BACKEND` of the process.
        **task: What it is told to do.
    """

    def __init__(self, script, *, backend, **task):
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, script, "--worker", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.first = self._answer()  # seconds of the first step, which compiles

    def seconds_a_step(self, count):
        return self._answer(str(count))

    def stop(self):
        """Ends it, and gives its peak memory in MiB."""
        peak = self._answer("0")
        self.process.wait()
        return peak

    def _answer(self, command=None):
        if command is not None:
            self.process.stdin.write(f"{command}\n")
            self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("answer "):
                return float(line.removeprefix("answer "))
        self.errors.seek(0)
        raise RuntimeError(f"A worker failed: {self.errors.read()[-3000:]}")


class Peak:
    """The most memory of its own that a process holds, without files that it maps."""

    def __init__(self):
        self.before = self.most = self.now()
        threading.Thread(target=self._watch, daemon=True).start()

    @staticmethod
    def now():
        status = Path("/proc/self/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) / 1024

    def _watch(self):
        while True:
            self.most = max(self.most, self.now())
            time.sleep(0.02)


def in_turn(workers, rounds, count):
    """Seconds of a step of each worker by round, `(workers, rounds)`; then they end."""
    taken = [[worker.seconds_a_step(count) for worker in workers] for _ in range(rounds)]
    for worker in workers:
        worker.stop()
    return np.array(taken).T


def serve(step):
    """Takes steps as the parent process asks, after one that compiles."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    step()
    print("answer", time.perf_counter() - started, flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            started = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - started)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print("answer", np.median(seconds) if seconds else peak, flush=True)
        if not seconds:
            return


def said_by(script, *arguments, backend):
    """What a script says in its last line, as JSON, from `--measure` on a backend."""
    command = [sys.executable, script, "--measure", *map(str, arguments)]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def ratio(seconds, reference):
    """Median of the ratios within each round, and their range."""
    ratios = np.array(seconds) / reference
    return f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def written(file, title, how, lines):
    """Writes a table, and the same with what it was measured on as JSON beside it."""
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join([f"# {title}", "", how, "", _machine(), "", *lines, ""])
    (RESULTS / file).write_text(text)
    of_table = {"title": title, "how": how, "date": time.strftime("%Y-%m-%d")}
    data = {**of_table, **machine(), "rows": rows(lines)}
    text_of_data = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    (RESULTS / file).with_suffix(".json").write_text(text_of_data)
    print(text, flush=True)


def rows(lines):
    """The rows of a table in Markdown by column; a range of ratios is in its cell."""
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in lines
        if line.startswith("|") and not line.startswith(("|-", "|:"))
    ]
    return [dict(zip(cells[0], row)) for row in cells[1:]] if cells else []


def machine():
    """Processor, cores, whether there is a GPU, and versions."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": names[0],
        "cores": os.cpu_count(),
        "gpu": shutil.which("nvidia-smi") is not None,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
    }


def _machine():
    found = machine()
    numbers = dict(found["versions"])
    python = numbers.pop("python")
    versions = ", ".join(f"{name} {number}" for name, number in numbers.items())
    return (
        f"{time.strftime('%Y-%m-%d')}, {found['processor']}, {found['cores']} cores, "
        f"{'a' if found['gpu'] else 'no'} GPU, Python {python}, {versions}."
    )
