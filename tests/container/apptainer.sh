#!/bin/bash
# Apptainer on a machine whose distribution has none: a Debian trixie folder with the package of
# Debian unstable inside.
#   apptainer.sh setup DIR        make the folder (as root; Debian packages: mmdebstrap uidmap)
#   apptainer.sh run DIR WORDS    run WORDS in it as user 1000, who owns DIR/home
# /tmp is shared. FUSE is avoided: images are unpacked when they start.
set -euo pipefail
command=$1
folder=$(realpath -m "$2")
shift 2

setup() {
  mkdir -p "$folder/home/cache" "$folder/home/tmp" "$folder/lists/partial" "$folder/cache/archives/partial"
  [ -e "$folder/root/etc" ] || mmdebstrap --variant=minbase --format=directory \
    --include=ca-certificates,e2fsprogs,squashfs-tools,uidmap,containernetworking-plugins,libseccomp2,libsqlite3-0 \
    trixie "$folder/root"
  local mirror
  mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2> /dev/null |
    grep -oE 'https?://[^ ]+/debian/?$' | head -n 1) || true
  echo "deb [trusted=yes] ${mirror:-http://deb.debian.org/debian} sid main" > "$folder/sid.list"
  local apt=(apt-get -o "Dir::Etc::sourcelist=$folder/sid.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache"
    -o Acquire::Check-Valid-Until=false)
  "${apt[@]}" update
  (cd "$folder/root/root" && "${apt[@]}" download apptainer)
  chroot "$folder/root" sh -c 'dpkg -i /root/apptainer_*.deb && useradd --uid 1000 builder'
  chown -R 1000:1000 "$folder/home"
}

run() {
  exec unshare --mount bash -c '
    set -euo pipefail
    folder=$1; shift
    mount --make-rprivate /
    mount --bind "$folder/root" "$folder/root"
    for place in dev proc sys tmp; do mount --rbind "/$place" "$folder/root/$place"; done
    mkdir -p "$folder/root/home/builder"
    mount --bind "$folder/home" "$folder/root/home/builder"
    cd "$folder/root"
    mkdir -p .before
    pivot_root . .before
    umount -l /.before
    cd /
    home=/home/builder
    exec setpriv --reuid 1000 --regid 1000 --clear-groups env -i HOME=$home \
      PATH=/usr/sbin:/usr/bin:/sbin:/bin APPTAINER_CACHEDIR=$home/cache \
      APPTAINER_TMPDIR=$home/tmp "$@"
  ' run "$folder" "$@"
}

"$command" "$@"
