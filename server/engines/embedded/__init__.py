"""The bundled models in process: ONNX Runtime, Outlines, a bounded pool of threads."""

from server.engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
