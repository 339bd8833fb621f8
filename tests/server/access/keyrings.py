"""Files of keys for tests."""

from pathlib import Path
from typing import Any

import yaml

from server.access.keys import made


def keys_file(folder: Path, **keys: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """A file with a key of each name and these scopes, and what the keys are."""
    texts, told = {}, {}
    for name, scopes in keys.items():
        text, secret = made()
        given = dict(scopes)
        kept = {"id": secret.id, "hash": secret.hash.hex()} | given.pop("secret", {})
        texts[name], told[name] = text, {"secrets": [kept], **given}
    path = folder / "keys.yaml"
    path.write_text(yaml.safe_dump({"keys": told}))
    return str(path), texts


def bearing(key: str) -> dict[str, str]:
    """The header of a request with that key."""
    return {"authorization": f"Bearer {key}"}
