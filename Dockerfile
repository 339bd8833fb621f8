ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/smallfirst && python -m venv /opt/build
COPY requirements.lock deploy/build.lock ./
RUN pip --python /opt/smallfirst/bin/python install --require-hashes --only-binary :all: -r requirements.lock \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY deploy/config deploy/config
COPY router router
COPY server server
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/smallfirst/bin/python install --no-deps --no-index /wheels/smallfirst-*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="smallfirst" \
      org.opencontainers.image.description="An OpenAI-compatible gateway that answers with a small model first and escalates on evidence" \
      org.opencontainers.image.licenses="Apache-2.0"
# Libraries that keep a cache look for a home: with a read-only root file system /tmp is the one place to write to.
# ONNX Runtime's binaries report to their maker, and the hub's client to its own, unless they are told not to.
ENV PATH=/opt/smallfirst/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    ORT_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_TELEMETRY=1
COPY deploy/config /etc/smallfirst
COPY --from=build /opt/smallfirst /opt/smallfirst
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8080, timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["smallfirst"]
CMD ["serve", "--config", "/etc/smallfirst/demo.yaml", "--host", "0.0.0.0", "--port", "8080"]
