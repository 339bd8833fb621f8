"""ONNX Runtime, told to report to nobody.

The wheel carries a telemetry client that is on unless the environment says otherwise before its first import; nothing may leave the
building unasked.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as runtime  # the environment comes first

__all__ = ["runtime"]
