#!/bin/bash
# Build the image without a Docker engine:  [FETCH=...] build.sh IMAGE [TORCH_SPEC]
# FETCH: what `musicotopy-tools fetch` brings; by default what pip alone can bring.
# As root; Debian packages: buildah podman runc mmdebstrap uidmap conmon containernetworking-plugins
# golang-github-containers-common. Where no registry answers, a stand-in for the official Python
# image is made from Debian packages first (BASE_TAR keeps its archive between builds).
# PIP_CONFIG_FILE and SSL_CERT_FILE of this machine, and the folders in EXTRA_MOUNTS, are shown to
# the build; none of it stays in the image.
set -euo pipefail
image=$1
torch=${2:-}
root=$(realpath "$(dirname "$0")/../..")
base=docker.io/library/python:3.11-slim-bookworm

if ! buildah inspect --type image "$base" > /dev/null 2>&1 && ! buildah pull "$base"; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  tar=${BASE_TAR:-$folder/base.tar}
  [ -e "$tar" ] || mmdebstrap --variant=minbase \
    --include=python3,python3-pip,python3-venv,python-is-python3,ca-certificates bookworm "$tar"
  [ "$tar" = "$folder/base.tar" ] || cp "$tar" "$folder/base.tar"
  # as in the official image, `python` and its packages live below /usr/local
  cat > "$folder/Dockerfile" <<'END'
FROM scratch
ADD base.tar /
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && python3 -m venv --copies /usr/local
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
END
  buildah bud --isolation chroot --layers=false -t "$base" "$folder"
fi

mounts=()
certificates=${SSL_CERT_FILE:-}
[ -n "$certificates" ] && mounts+=(-v "$certificates:/etc/ssl/certs/ca-certificates.crt:ro")
pip=${PIP_CONFIG_FILE:-/etc/pip.conf}
[ -e "$pip" ] && mounts+=(-v "$pip:/etc/pip.conf:ro")
for folder_shown in ${EXTRA_MOUNTS:-}; do mounts+=(-v "$folder_shown:$folder_shown:ro"); done

buildah bud --isolation chroot --pull-never --layers=false "${mounts[@]}" \
  ${torch:+--build-arg "TORCH_SPEC=$torch"} \
  --build-arg "FETCH=${FETCH:-musicnn}" \
  --build-arg "REVISION=$(git -C "$root" rev-parse HEAD 2> /dev/null || echo unknown)" \
  -t "$image" "$root"
