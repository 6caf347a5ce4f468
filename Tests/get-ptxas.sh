#!/usr/bin/env bash
# Prints the folder that holds ptxas, cuobjdump and the nvdisasm that it calls: the one on the PATH, or one unpacked once under the
# user's cache folder from Debian's non-free package nvidia-cuda-toolkit, without installing it. The tests find it through
# GLOW_PTXAS or there.
set -euo pipefail
tools="cuobjdump nvdisasm ptxas"
complete() { for tool in $tools; do [ -x "$1/$tool" ] || return 1; done; }
if tool=$(command -v ptxas) && complete "$(dirname "$tool")"; then dirname "$tool"; exit; fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/glow/ptxas
if ! complete "$cache"; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$') ||
    { echo "get-ptxas: apt names no Debian mirror" >&2; exit 1; }
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite non-free" >"$work/sources.list"
  apt="apt-get -qq -o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$work/lists -o Dir::Cache=$work/cache -o APT::Sandbox::User=root"
  $apt update >&2
  (cd "$work" && $apt download nvidia-cuda-toolkit >&2 && dpkg -x nvidia-cuda-toolkit_*.deb unpacked)
  mkdir -p "$cache"
  for tool in $tools; do install -m 755 "$work/unpacked/usr/bin/$tool" "$cache/$tool"; done
fi
echo "$cache"
