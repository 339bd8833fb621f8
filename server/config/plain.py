"""What every part of the configuration is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from router.errors import ConfigError

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that is safe as a metric label, in a header and before the slash of `route/tier`."""


Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#@]+$")]
"""A page's origin as browsers send it: no path, no slash at the end."""


Ratio = Annotated[float, Field(ge=0, le=1)]


Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """Frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def refuse(key: str, message: str) -> None:
    """Raises the ConfigError that names the key."""
    raise ConfigError(f"{key}: {message}", param=key)
