#!/usr/bin/env bash
# A headless Chromium in pieces, for a training machine that can fetch nothing: `bash train/pack_chromium.sh DIR`
# writes DIR/chromium.part.*, each at most 32 MiB; there, `bash train/unpack_chromium.sh DIR TO` puts it together and
# prints the path to set as SACCADE_CHROMIUM. Takes the system's chromium-headless-shell, its libraries, and the fonts
# that training uses; the held-out fonts stay behind.
set -euo pipefail
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/chromium
mkdir -p "$bundle/lib" "$bundle/fonts" "$out"

shell=/usr/lib/chromium/chromium-headless-shell
[ -x "$shell" ] || { echo "no $shell: apt-get install chromium-headless-shell" >&2; exit 1; }
for file in "$shell" "$(dirname "$shell")"/{headless_command_resources.pak,headless_lib_data.pak,headless_lib_strings.pak,icudtl.dat,v8_context_snapshot.bin}; do
  cp "$file" "$bundle/"
done
ldd "$shell" | awk '/=> \//{print $3}' | grep -vE '/(libc|libm|libdl|libpthread|librt)\.so' | xargs -I{} cp -L {} "$bundle/lib/"
fc-list : file family style | grep -E '(Liberation (Sans|Serif|Mono)|DejaVu (Sans|Serif)|DejaVu Sans Mono|Open Sans|Roboto|Roboto Condensed|Inter|Noto Sans|Fira Code):style=(Regular|Bold|Book)' \
  | cut -d: -f1 | sort -u | xargs -I{} cp {} "$bundle/fonts/"
cp -rL /etc/fonts/conf.d "$bundle/conf.d"
tar -C "$work" -cf - chromium | xz --x86 --lzma2=preset=9e,dict=256MiB | split -b 32M - "$out/chromium.part."
ls -l "$out"/chromium.part.* >&2
