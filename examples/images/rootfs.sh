#!/usr/bin/env bash
# Write root file systems: rootfs.sh DIRECTORY NAME... leaves DIRECTORY/NAME.tar for each image of build.sh.
# Packages come through apt with its usual signature checks, but into a directory: a Debian 12 host stays as it is.
set -euo pipefail
umask 022

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$1"
shift
python="${PYTHON:-python3}" # any version that has pip: it only unpacks wheels
lists=() # options of apt; empty = the package lists that this system already has

# In the closure only for the scripts that run when a package is installed; nothing runs here.
installers_only='^(perl|libperl|perl-modules|libsemanage|libsepol|libpam-|libaudit-common|debconf|dpkg|tar|passwd|adduser|usrmerge|init-system|sysvinit|iproute2|[^_]*-perl)[^/]*_'

declare -A packages_of=(
  [nginx]="nginx-light"
  [front]="nginx-light"
  [cache]="redis-server"
  [database]="postgresql-15 busybox"
  [linux]="openssh-server bash coreutils findutils grep sed procps less"
  [guestbook]="python3-minimal libpython3.11-stdlib"
  [pages]="python3-minimal libpython3.11-stdlib"
  [jobs]="python3-minimal libpython3.11-stdlib"
)
# Of the closure and not needed: a compiler for queries, locales, scripts that keep several clusters.
declare -A without=(
  [database]='^(libllvm|libz3|locales|postgresql-common|postgresql-client-common|ssl-cert|ucf|openssl|sensible-utils|readline)[^/]*_'
)

apt() { # with no package installed, so that it resolves the whole closure
  apt-get -qq -y -o Debug::NoLocking=1 -o Dir::State::status="$out/no-packages" \
    -o Dir::Cache::pkgcache="$out/pkgcache" -o Dir::Cache::srcpkgcache="$out/srcpkgcache" \
    -o Dir::Cache::archives="$out/debs" "${lists[@]}" "$@"
}

prepare_apt() {
  mkdir -p "$out/debs/partial" "$out/lists/partial" "$out/none/partial"
  : >"$out/no-packages"
  [ "$(id -u)" != 0 ] || chown _apt "$out/debs/partial" "$out/lists/partial"
}

refresh_lists() {
  lists=(-o "Dir::State::lists=$out/lists")
  apt update >&2
}

download() { # packages...
  apt --download-only --no-install-recommends install "$@" >&2
}

unpack() { # root unneeded packages...
  local root="$1" unneeded="$2" deb
  shift 2
  mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},app,etc,dev,proc,sys,run,var/{log,tmp},tmp}
  chmod 1777 "$root"/{tmp,var/tmp}
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
  apt -o Dir::Cache::archives="$out/none" --print-uris --no-install-recommends install "$@" | awk '{print $2}' \
    | { grep -v -E -e "$installers_only" -e "$unneeded" || true; } \
    | while read -r deb; do dpkg-deb --extract "$out/debs/$deb" "$root"; done
  rm -rf "$root"/usr/share/{doc,man,locale,info,lintian} "$root"/var/{cache,lib/dpkg}
  printf 'root:x:0:0::/root:/usr/sbin/nologin\napp:x:10001:10001::/tmp:/usr/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\napp:x:10001:\n' >"$root/etc/group"
}

install_pip() { # in a container that has none
  "$python" -m pip --version >/dev/null 2>&1 && return
  apt-get -qq update >&2
  apt-get -qq -y --no-install-recommends install python3-pip >&2
}

add_application() { # name root
  install_pip
  "$python" -m pip install --quiet --no-compile --only-binary :all: --python-version 3.11 --implementation cp --require-hashes \
    --root-user-action ignore --target "$2/app/site-packages" --requirement "$here/$1/requirements.txt" >&2
  cp "$here/$1/$1.py" "$2/app/"
  [ "$(id -u)" != 0 ] || compile_imported "$@"
}

compile_imported() { # name root ; import everything once: it leaves the compiled modules, and fails if one is missing
  env -i PATH="$PATH" PYTHONPATH=/app:/app/site-packages chroot "$2" /usr/bin/python3 -m gunicorn --check-config --threads 4 \
    --no-control-socket "$1:app" >&2
}

add_files() { # name root
  local name
  case "$1" in
    nginx) cp "$here"/nginx/html/* "$2/usr/share/nginx/html/" && cp "$here/nginx/nginx.conf" "$2/etc/nginx/" ;;
    front) cp "$here/front/nginx.conf" "$2/etc/nginx/nginx.conf" ;;
    guestbook | pages | jobs) add_application "$1" "$2" ;;
    database)
      install -D "$here/database/start-database" "$2/app/start-database"
      for name in sh rm mv; do ln -s busybox "$2/bin/$name"; done # initdb takes a shell, too
      mkdir -p "$2/data" "$2/var/lib/postgresql/data"
      rm -rf "$2"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*}
      ;;
    linux)
      install -D "$here/../linux-box/start-sshd" "$2/usr/local/bin/start-sshd"
      cp "$here/../linux-box/sshd_config" "$2/etc/ssh/sshd_config"
      ln -s bash "$2/bin/sh"
      mkdir -p "$2/home/box"
      sed -i 's#^app:.*#box:x:10001:10001::/home/box:/bin/bash#' "$2/etc/passwd"
      echo 'tty:x:5:' >>"$2/etc/group" # a terminal belongs to it from the start: a user could not give it away
      ;;
  esac
}

archive() { # root file ; all is root's but what is a volume's place: a volume belongs to who owns its place in the image
  local path
  local -a theirs=() others=()
  for path in data home/box var/lib/postgresql/data; do
    [ ! -d "$1/$path" ] || theirs+=("./$path") others+=(--exclude "./$path")
  done
  tar -C "$1" --owner 0 --group 0 --numeric-owner --sort name "${others[@]}" -cf "$2" .
  [ "${#theirs[@]}" = 0 ] || tar -C "$1" --owner 10001 --group 10001 --numeric-owner -rf "$2" "${theirs[@]}"
}

main() {
  local name all=""
  for name in "$@"; do all+=" ${packages_of[$name]}"; done
  prepare_apt
  # shellcheck disable=SC2086
  download $all 2>/dev/null || { refresh_lists && download $all; } # this system's lists may be absent or old
  for name in "$@"; do
    # shellcheck disable=SC2086
    unpack "$out/root/$name" "${without[$name]:-^$}" ${packages_of[$name]}
    add_files "$name" "$out/root/$name"
    archive "$out/root/$name" "$out/$name.tar"
  done
  rm -rf "$out"/{root,debs,lists,none,no-packages,pkgcache*,srcpkgcache*}
}

main "$@"
