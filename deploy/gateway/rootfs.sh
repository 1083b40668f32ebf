#!/usr/bin/env bash
# Write the gateway's root file system: rootfs.sh DIRECTORY leaves DIRECTORY/gateway.tar, with haproxy and nft of Debian 12.
# Packages come through apt with its usual signature checks, but into a directory: a Debian 12 host stays as it is.
set -euo pipefail
umask 022

out="$1"
packages=(haproxy nftables)
lists=() # options of apt; empty = the package lists that this system already has

# In the closure only for the scripts that run when a package is installed; nothing runs here.
installers_only='^(perl|libperl|perl-modules|libsemanage|libsepol|libpam|libaudit|debconf|dpkg|tar|passwd|adduser|usrmerge|init-system|sysvinit|[^_]*-perl)[^/]*_'

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

download() {
  apt --download-only --no-install-recommends install "${packages[@]}" >&2
}

unpack() { # root
  local root="$1" deb
  mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},etc/{haproxy,moorage},dev,proc,sys,run/moorage,tmp}
  chmod 1777 "$root/tmp"
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
  apt -o Dir::Cache::archives="$out/none" --print-uris --no-install-recommends install "${packages[@]}" | awk '{print $2}' \
    | { grep -v -E "$installers_only" || true; } \
    | while read -r deb; do dpkg-deb --extract "$out/debs/$deb" "$root"; done
  rm -rf "$root"/usr/share "$root"/var/{cache,lib/dpkg} "$root"/etc/{haproxy,init.d,default,logrotate.d,rsyslog.d}
  printf 'root:x:0:0::/:/usr/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
}

check() { # root ; both programs find their libraries
  [ "$(id -u)" = 0 ] || return 0
  chroot "$1" /usr/sbin/haproxy -v >/dev/null
  chroot "$1" /usr/sbin/nft --version >/dev/null
}

prepare_apt
download 2>/dev/null || { refresh_lists && download; } # this system's lists may be absent or old
unpack "$out/root"
check "$out/root"
tar -C "$out/root" --owner 0 --group 0 --numeric-owner --sort name -cf "$out/gateway.tar" .
rm -rf "$out"/{root,debs,lists,none,no-packages,pkgcache*,srcpkgcache*}
