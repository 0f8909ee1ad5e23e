# musicotopy as a BIDS App. Build: docker build -t musicotopy .
#   a CPU image (2 GB instead of 6):  --build-arg TORCH_SPEC="--index-url https://download.pytorch.org/whl/cpu torch==2.11.0"
#   with more weights inside:  --build-arg FETCH="musicnn vggish templates atlases"
#   where only pip can be reached:  --build-arg FETCH=musicnn
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# the default brings the CUDA libraries; every word is handed to pip
ARG TORCH_SPEC="torch==2.11.0 torchaudio==2.11.0"
RUN python -m venv --copies /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install ${TORCH_SPEC}
COPY pyproject.toml constraints.txt README.md LICENSE /src/
COPY bidsapp /src/bidsapp
COPY musicotopy /src/musicotopy
RUN grep -viE '^torch(audio)?==' /src/constraints.txt > /tmp/constraints.txt \
 && pip install --constraint /tmp/constraints.txt "/src[neuromaps,onnx,parquet]"

FROM build AS resources
# names for `musicotopy-tools fetch`; the weights go to /weights, the templates to /opt/templateflow
# musicnn comes by pip from the index that the build uses, templates and atlases by TemplateFlow's client
ARG FETCH="musicnn templates atlases"
ARG FETCH_MIRROR=""
# annotations for neuromaps: FETCH="... neuromaps hcps1200/myelinmap/fsLR/32k"
# the client would try to fill an empty folder when it is imported
ENV NEUROMAPS_DATA=/opt/neuromaps TEMPLATEFLOW_HOME=/opt/templateflow
RUN mkdir -p /weights /opt/templateflow /opt/neuromaps \
 && echo "What FETCH named at build time; bind a filled folder over this one." > /opt/templateflow/README \
 && if [ -n "${FETCH}" ]; then \
      musicotopy-tools fetch ${FETCH} --weights-dir /weights --templates-dir /opt/templateflow \
        ${FETCH_MIRROR:+--mirror "${FETCH_MIRROR}"}; \
    fi

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="musicotopy" \
      org.opencontainers.image.description="BIDS App: voxelwise encoding, searchlight RSA and decoding for music-listening fMRI" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# the standard library of the official base image comes without bytecode, and a read-only root keeps none
RUN mkdir -p /data /out /work /stimuli \
 && useradd --create-home --uid 1000 musicotopy \
 && python -m compileall -q -x '(site|dist)-packages|/test/|/idlelib/|/lib2to3/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/venv /opt/venv
COPY --from=resources /weights /weights
COPY --from=resources /opt/templateflow /opt/templateflow
COPY --from=resources /opt/neuromaps /opt/neuromaps
# any user id, a read-only root and no network must work: caches live in /tmp, nothing is fetched
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    MUSICOTOPY_WEIGHTS_DIR=/weights \
    HOME=/tmp USER=musicotopy XDG_CACHE_HOME=/tmp/cache XDG_CONFIG_HOME=/tmp/config \
    MPLCONFIGDIR=/tmp/matplotlib NUMBA_CACHE_DIR=/tmp/numba TORCH_HOME=/tmp/torch \
    TEMPLATEFLOW_HOME=/opt/templateflow TEMPLATEFLOW_AUTOUPDATE=0 NEUROMAPS_DATA=/opt/neuromaps \
    OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMEXPR_MAX_THREADS=1 \
    MUSICOTOPY_DOCKER_TAG=${VERSION}
RUN musicotopy --version
USER musicotopy
ENTRYPOINT ["/opt/venv/bin/musicotopy"]
