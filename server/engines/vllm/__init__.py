"""The engine that brings its own server: a local `vllm serve`, started and kept running for as long as the gateway serves."""
