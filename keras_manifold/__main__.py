"""Pages of runs from a shell: `python -m keras_manifold report|serve`."""

import argparse
import sys
from collections.abc import Sequence

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
            print(report(_runs(options.runs), options.output))
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
        "runs", nargs="+", metavar="RUN", help="folder of a run, or LABEL=FOLDER"
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
    """Folders, or a mapping from labels where each word has one."""
    pairs = [word.partition("=") for word in words]
    if all(label and folder for label, _, folder in pairs):
        labels = [label for label, _, _ in pairs]
        if len(set(labels)) == len(labels):
            return {label: folder for label, _, folder in pairs}
    return list(words)


if __name__ == "__main__":
    sys.exit(main())
