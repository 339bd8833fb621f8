"""Compiles the functions of `router/compiled` where a C compiler is at hand; without one the plain ones beside them serve, only slower.

SMALLFIRST_COMPILE=require makes a failure an error, =off leaves compiling out.
"""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER, FLAGS = Path("router/compiled"), ["-O2", "-g0", "-ffp-contract=off"]
"""No multiplication and addition in one: they would round otherwise than Python does."""


class Compiled(BuildHookInterface[Any]):
    """Run before a wheel or an editable install is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  (the interface names it)
        """Leave one library a module beside its source, and tell the wheel that it holds for this Python and machine alone."""
        wish = os.environ.get("SMALLFIRST_COMPILE", "")
        if wish == "off":
            return
        try:
            compiled(Path(self.root))
        except BaseException as error:  # compilers fail in every way, SystemExit among them
            if wish == "require" or not isinstance(error, Exception | SystemExit):
                raise
            self.app.display_warning(f"not compiled, so that judging takes some times as long: {error}")
            return
        build_data["infer_tag"], build_data["pure_python"] = True, False
        build_data["artifacts"] += [f"/{FOLDER}/*.so", f"/{FOLDER}/*.pyd", f"/{FOLDER}/*.sha256"]


def compiled(root: Path) -> None:
    """Translate to C in a folder of its own, and compile."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    os.chdir(root)
    for stale in [*FOLDER.glob("*.so"), *FOLDER.glob("*.pyd"), *FOLDER.glob("*.sha256")]:
        stale.unlink()
    found = [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=FLAGS) for path in sorted(FOLDER.glob("*.pyx"))
    ]
    modules = cythonize(found, build_dir="build/compiled", language_level="3", quiet=True)
    command = build_ext(Distribution({"name": "smallfirst", "ext_modules": modules, "packages": []}))
    command.build_temp, command.inplace, command.force = "build/compiled", True, True
    command.ensure_finalized()
    command.run()
    sys.path.insert(0, str(root))
    from router.compiled import sources

    (FOLDER / "sources.sha256").write_text(sources(FOLDER), encoding="ascii")
