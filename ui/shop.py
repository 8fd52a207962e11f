"""The example shop of a source tree, for a first look at the web UI. An installed package has none."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError

EXAMPLES = Path(__file__).parents[1] / "examples"


def open_shop() -> Any:
    """The shop as a context manager with a `url`, on a free port; raises InputError where there is none."""
    if not (EXAMPLES / "shop" / "server.py").is_file():
        raise InputError("the example shop comes with the source, not with the package; give --url instead")
    sys.path.append(str(EXAMPLES))
    return import_module("shop.server").Shop()
