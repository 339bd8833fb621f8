"""The bundled pair of tiny models: their data, their training, their files."""
