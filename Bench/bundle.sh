#!/usr/bin/env bash
# Makes one archive for a machine with a GPU: glow, the device tests and bench, with the .NET runtime they need.
#
#   Bench/bundle.sh [ARCHIVE]        default: artifacts/glow-gpu-linux-x64.tar.xz
#
# Needs the .NET SDK and xz here. The target needs Linux on x64 with glibc, libstdc++ and OpenSSL's libssl, and the driver of its GPU;
# no SDK, no network, no installation: unpack the archive and run ./gpu-check --out DIR (its head says what else it takes).
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
archive=$(realpath -m "${1:-$repo/artifacts/glow-gpu-linux-x64.tar.xz}")
limit=$((60 * 1000 * 1000))
work=$(mktemp -d "${TMPDIR:-/tmp}/glow-bundle.XXXXXX")
trap 'rm -rf "$work"' EXIT
stage=$work/glow-gpu

# One folder for all three programs, so that the runtime is there once; build output goes elsewhere than the checkout's own.
for project in App Bench Tests; do
  dotnet publish "$repo/$project" -c Release -r linux-x64 --self-contained --nologo -v quiet \
    -p:Bundle=true -p:DebugType=none -p:SatelliteResourceLanguages=en \
    --artifacts-path "$work/artifacts" -o "$stage/bin"
done
find "$stage/bin" \( -name '*.xml' -o -name '*.pdb' -o -name createdump -o -name 'libclrgc*.so' -o -name 'libcoreclrtraceptprovider.so' \) -not -path '*/Fixtures/*' -delete
install -m 755 "$repo/Bench/gpu-check" "$stage/gpu-check"
cp "$repo/LICENSE" "$stage/"
git -C "$repo" describe --always --dirty --abbrev=12 >"$stage/COMMIT" 2>/dev/null || echo unknown >"$stage/COMMIT"

mkdir -p "$(dirname "$archive")"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - glow-gpu | xz -T0 -6 >"$archive"
bytes=$(stat -c %s "$archive")
echo "$archive: $bytes bytes"
[ "$bytes" -lt "$limit" ] || { echo "bundle: the archive has $bytes bytes; it must have fewer than $limit" >&2; exit 1; }
