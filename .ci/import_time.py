"""How long does `import keras_manifold` take, and how long `import keras` alone?

    python .ci/import_time.py

Each import in a process of its own, in turn; the fastest of each counts. Fails where the
package takes more than half as long again as Keras.
"""

import subprocess
import sys

TIMES = 4
LIMIT = 1.5
MEASURED = (
    "import time; start = time.perf_counter(); import {name}; "
    "print(time.perf_counter() - start)"
)


def seconds(name: str) -> float:
    """The time of one import in a new process."""
    command = [sys.executable, "-c", MEASURED.format(name=name)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def main() -> None:
    """Measures and compares both imports."""
    names = ["keras", "keras_manifold"]
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TIMES):
        for name in names:
            found[name].append(seconds(name))
    keras, ours = (min(found[name]) for name in names)
    print(f"import keras: {keras:.2f} s; import keras_manifold: {ours:.2f} s")
    if ours > LIMIT * keras:
        sys.exit(f"Expected at most {LIMIT} times the import of Keras.")


if __name__ == "__main__":
    main()
