"""One verifier a file: each judges a draft and says why."""
