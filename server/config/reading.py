"""Reads a configuration; every mistake is a ConfigError that names its key."""

from collections.abc import Hashable
from pathlib import Path

import yaml
from pydantic import ValidationError

from router.errors import ConfigError
from server.config.settings import Settings
from server.locating import foremost

_TOLD = {"extra_forbidden": "unknown key"} | dict.fromkeys(
    ("model_type", "model_attributes_type", "dict_type"), "must be a mapping of keys"
)


def load(path: Path) -> Settings:
    """Read and check a configuration file; raises ConfigError naming the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return parse(text)


def parse(text: str) -> Settings:
    """Check the text of a configuration; raises ConfigError naming the key."""
    try:
        document = yaml.load(text, _UniqueKeys)  # noqa: S506  # a SafeLoader that refuses duplicate keys
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {' '.join(str(error).split())}") from error
    return checked(document)


def checked(document: object) -> Settings:
    """Check a configuration as plain data; raises ConfigError naming the key."""
    if not isinstance(document, dict):
        raise ConfigError("the configuration must be a mapping of keys")
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        detail, location = foremost(error, document)
        key = ".".join(map(str, location))
        message = _TOLD.get(detail["type"], detail["msg"])
        raise ConfigError(f"{key}: {message}", param=key) from error


class _UniqueKeys(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
