# docker build -t smallfirst:0.1.0 .
# docker build --target sbom --output build/sbom .     what is inside, as CycloneDX: build/sbom/sbom.cdx.json
ARG PYTHON_IMAGE=python:3.12-slim

# What the gateway needs, a layer that changes with the lock alone: an upgrade of the gateway then moves some fifteen megabytes.
FROM ${PYTHON_IMAGE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/image.lock ./
RUN python -m venv --without-pip /opt/python \
    && pip --python /opt/python/bin/python install --no-deps --require-hashes --only-binary :all: -r image.lock \
    && find /opt/python -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
    && /opt/python/bin/python -c "import sysconfig; open(sysconfig.get_path('purelib') + '/smallfirst.pth', 'w').write('/opt/smallfirst')"

# A compiler for what the wheel holds compiled; it stays in this stage, where the distribution's own version is as good as any.
FROM ${PYTHON_IMAGE} AS wheel
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore SMALLFIRST_COMPILE=require
WORKDIR /src
COPY deploy/build.lock ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY models models
COPY deploy/config deploy/config
COPY router router
COPY server server
# The base has no C compiler: Zig's comes as a package. It would build for this machine's own processor unless it is told not to.
RUN CC="/opt/build/bin/python -m ziglang cc -mcpu=baseline" ZIG_GLOBAL_CACHE_DIR=/tmp/zig SMALLFIRST_COMPILE=require \
    /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM wheel AS inventory
COPY --from=dependencies /opt/python /opt/python
RUN pip --python /opt/python/bin/python install --no-deps --no-index --target /opt/smallfirst /wheels/smallfirst-*.whl \
    && mkdir /sbom \
    && /opt/build/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml -o /sbom/sbom.cdx.json /opt/python/bin/python

FROM scratch AS sbom
COPY --from=inventory /sbom /

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="smallfirst" \
      org.opencontainers.image.description="An OpenAI-compatible gateway that answers with a small model first and escalates on evidence" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# Libraries that keep a cache look for a home: with a read-only root file system /tmp is the one place to write to.
# ONNX Runtime's binaries report to their maker, and the hub's client to its own, unless they are told not to.
ENV PATH=/opt/smallfirst/bin:/opt/python/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    ORT_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_TELEMETRY=1
# A volume that is mounted on an empty folder takes its owner.
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/smallfirst /var/lib/smallfirst-keys
COPY --from=dependencies /opt/python /opt/python
COPY --from=inventory /opt/smallfirst /opt/smallfirst
COPY deploy/config /etc/smallfirst
COPY deploy/ready.py /opt/ready.py
COPY --from=inventory /sbom /usr/share/doc/smallfirst
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "/opt/ready.py"]
ENTRYPOINT ["smallfirst"]
CMD ["serve", "--config", "/etc/smallfirst/demo.yaml", "--host", "0.0.0.0", "--port", "8080"]
