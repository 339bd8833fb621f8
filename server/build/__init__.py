"""The composition root: settings become engines, routes, observers and the application."""

from server.build.calibrated import Calibrations, notices
from server.build.gateway import Gateway, gateway
from server.build.refitting import plans

__all__ = ["Calibrations", "Gateway", "gateway", "notices", "plans"]
