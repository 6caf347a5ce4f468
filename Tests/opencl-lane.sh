#!/usr/bin/env bash
# Runs a command where ILGPU finds an OpenCL device: by default the device tests and a short training run.
#
#   Tests/opencl-lane.sh [COMMAND ARG ...]
#
# ILGPU needs OpenCL's generic address space. Where this machine has no such device, a small Debian 13 root with PoCL 6 (an
# OpenCL device on the CPU) is made once under the user's cache folder, or $GLOW_OPENCL_ROOT, and the command runs in it with
# this checkout and the .NET SDK bound in; the mounts are private to this call. Needs root and debootstrap (Debian, Ubuntu);
# the package mirror is the one that this machine's apt uses. Exit code 3: no OpenCL device can be had here, and why.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
root=${GLOW_OPENCL_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/glow/opencl-root}
dotnet_home=$(dirname "$(readlink -f "$(command -v dotnet)")")

if [ $# -eq 0 ]; then
  out=$(mktemp -d "${TMPDIR:-/tmp}/glow-opencl.XXXXXX")
  trap 'rm -rf "$out"' EXIT
  "$0" dotnet test Tests/Tests.csproj -c Release --no-build --filter TestCategory=OpenCL
  "$0" dotnet App/bin/Release/net10.0/glow.dll train --device opencl --data demo --limit 64 --validation 0 --levels 2 \
    --depth 2 --width 16 --batch 8 --steps 5 --out "$out/run"
  exit
fi

cd "$repo"
if dotnet App/bin/Release/net10.0/glow.dll devices --json 2>/dev/null | grep -q '"kind": *"opencl"'; then
  exec "$@"
fi

if [ ! -e "$root/.complete" ]; then
  [ "$(id -u)" -eq 0 ] || { echo "opencl-lane: making a Debian root needs root; run it as root or install PoCL 6 or newer"; exit 3; }
  command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap >/dev/null ||
    { apt-get update -qq && apt-get install -y -qq debootstrap >/dev/null; } || { echo "opencl-lane: debootstrap cannot be installed"; exit 3; }
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$') ||
    { echo "opencl-lane: apt names no Debian mirror to take Debian 13 from"; exit 3; }
  rm -rf "$root" && mkdir -p "$root"
  debootstrap --variant=minbase --include=pocl-opencl-icd,ocl-icd-libopencl1,libstdc++6 trixie "$root" "$mirror" >"$root.log" 2>&1 ||
    { echo "opencl-lane: debootstrap failed, see $root.log"; exit 3; }
  touch "$root/.complete"
fi

unshare --mount --propagation private true 2>/dev/null || { echo "opencl-lane: this machine lets nobody make private mounts"; exit 3; }

# PoCL reads /sys and /proc to size its device.
export root repo dotnet_home
exec unshare --mount --propagation private bash -c '
  set -e
  for d in proc sys dev tmp; do mount --rbind "/$d" "$root/$d"; done
  for d in "$dotnet_home" "$repo" "$HOME"; do mkdir -p "$root$d"; mount --rbind "$d" "$root$d"; done
  exec chroot "$root" env DOTNET_ROOT="$dotnet_home" PATH="$dotnet_home:$PATH" DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
    POCL_MEMORY_LIMIT=8 bash -c '"'"'cd "$repo" && exec "$@"'"'"' lane "$@"
' lane "$@"
