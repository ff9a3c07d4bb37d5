"""Pages of runs from a shell: `python -m keras_manifold report|serve`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_manifold.pages import report
from keras_manifold.pages._server import PORT, serve

_EXAMPLES = """\
examples:
  python -m keras_manifold report runs/denoising
  python -m keras_manifold report plain=runs/1 denoising=runs/2 -o compare.html
  python -m keras_manifold serve runs --port 8000
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what a shell asked for.

    Args:
        arguments: The words after the name of the program; `None` for those of the shell.

    Returns:
        0, or 1 after an error, which is printed; argparse leaves with 2 where the words
        make no sense.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.command == "report":
            folders, labels = _runs(options.runs)
            print(report(folders, options.output, labels=labels))
        else:
            serve(options.folder, options.port)
    except (ValueError, TypeError, OSError) as error:
        print(f"keras_manifold {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m keras_manifold",
        description="Pages of runs that the callbacks have watched.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    page = commands.add_parser(
        "report",
        help="write one HTML file that shows a run, or several side by side",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    page.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="folder of a run, or LABEL=FOLDER; those of one label become mean and spread",
    )
    page.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the file; index.html in the folder of the run by default",
    )
    server = commands.add_parser(
        "serve",
        help="show all runs below a folder in a browser of this machine",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server.add_argument("folder", metavar="FOLDER", help="with folders of runs in it")
    server.add_argument(
        "--port", type=int, default=PORT, help="by default %(default)s; 0 for any"
    )
    return parser


def _runs(words):
    """Folders, and their labels, or `None` where no word has one."""
    folders, labels = [], []
    for word in words:
        label, equals, folder = word.partition("=")
        # A folder may have that character in its name.
        if not (label and equals and folder) or Path(word).is_dir():
            label, folder = None, word
        folders.append(folder)
        labels.append(label)
    if not any(labels):
        return folders, None
    names = [Path(folder).resolve().name for folder in folders]
    return folders, [label or name for label, name in zip(labels, names)]


if __name__ == "__main__":
    sys.exit(main())
