"""OpenAI's HTTP surface: one file a route."""
