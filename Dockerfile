# musicotopy as a BIDS App. Build: docker build -t musicotopy .
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# "torch==2.11.0 torchaudio==2.11.0" brings the CUDA libraries; give another specification for a CPU image
ARG TORCH_SPEC="torch==2.11.0 torchaudio==2.11.0"
RUN python -m venv --copies /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install ${TORCH_SPEC}
COPY pyproject.toml constraints.txt README.md LICENSE /src/
COPY bidsapp /src/bidsapp
RUN grep -viE '^torch(audio)?==' /src/constraints.txt > /tmp/constraints.txt \
 && pip install --constraint /tmp/constraints.txt /src "neuromaps>=0.0.5"

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="musicotopy" \
      org.opencontainers.image.description="BIDS App: where, how well and at which level of abstraction the brain follows music" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/venv /opt/venv
# any user id, a read-only root and no network must work: caches live in /tmp, nothing is fetched
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib NUMBA_CACHE_DIR=/tmp/numba XDG_CACHE_HOME=/tmp/cache \
    TEMPLATEFLOW_HOME=/tmp/templateflow TEMPLATEFLOW_AUTOUPDATE=0 \
    OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    MUSICOTOPY_DOCKER_TAG=${VERSION}
RUN mkdir -p /data /out /work /stimuli /weights \
 && useradd --create-home --uid 1000 musicotopy \
 && musicotopy --version
USER musicotopy
ENTRYPOINT ["/opt/venv/bin/musicotopy"]
