"""The composition root: settings become engines, routes, observers and the application."""

from server.build.calibrated import notices
from server.build.gateway import Gateway, gateway
from server.build.refitting import plans

__all__ = ["Gateway", "gateway", "notices", "plans"]
