"""Finds a model's folder: by path, or by name among the models that come with the package."""

from pathlib import Path

from router.errors import ConfigError

FILES = ("config.json", "tokenizer.json", "model.safetensors", "model.onnx")


def find(path: str | Path, where: str = "path") -> Path:
    """A folder that holds a whole model; raises ConfigError naming what is missing.

    A bare name is looked up in the installed package (server/bundled) first, then in a checkout (models/).
    """
    candidates = [Path(path)] if Path(path).is_absolute() or len(Path(path).parts) > 1 else [*_own(str(path)), Path(path)]
    folder = next((folder for folder in candidates if folder.is_dir()), None)
    if folder is None:
        raise ConfigError(f"{where}: no model {str(path)!r}; looked in {', '.join(map(str, candidates))}", param=where)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        hint = "; python models/export.py makes model.onnx" if missing == ["model.onnx"] else ""
        raise ConfigError(f"{where}: {folder} has no {', '.join(missing)}{hint}", param=where)
    return folder


def _own(name: str) -> tuple[Path, Path]:
    server = Path(__file__).parents[2]
    return server / "bundled" / name, server.parent / "models" / name
