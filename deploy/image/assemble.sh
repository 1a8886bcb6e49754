#!/usr/bin/env bash
# Puts what Sluice's image consists of into an empty directory: Node, the compiled program with what
# it loads, the tools that speak to the kernel, and the libraries of all of these. No shell, no
# package manager. The Dockerfile copies the directory as it is; a test runs it as it is.
#
# usage: assemble.sh DIRECTORY     in a checkout where `make build` has run
set -euo pipefail
root=$(realpath -m "$1")
package=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
[ -z "$(ls -A "$root" 2>/dev/null)" ] || { echo "$root is not empty" >&2; exit 1; }

tools=(ip bridge tc nft conntrack)

# Copies files to the same places below $root, links as what they point to.
copy() {
  local file
  for file in "$@"; do
    [ -e "$root$file" ] || install -D --mode="$(stat -Lc %a "$file")" "$file" "$root$file"
  done
}

# The libraries that programs and libraries are linked with, and the loader.
linked() {
  ldd "$@" | sed -nE 's,^.*=> (/[^ ]+).*$,\1,p; s,^\t(/[^ ]+) \(.*$,\1,p' | sort -u
}

# The place where the loader finds a library that is opened by name.
find_library() {
  ldconfig -p | sed -nE "s,^\t$1 \(.*(x86-64|AArch64).*\) => (/.*)$,\2,p" | head -n 1
}

mkdir -p "$root"/{usr/bin,opt/sluice,etc,proc,sys/fs/bpf,dev,tmp,var/lib/sluice,host/proc/sys/net}
chmod 1777 "$root/tmp"

for arch in x64 arm64; do
  [ -d "$package/node_modules/node-linux-$arch" ] || continue
  install -m 755 "$package/node_modules/node-linux-$arch/bin/node" "$root/usr/bin/node"
done
[ -x "$root/usr/bin/node" ] || { echo "there is no packaged Node for this machine" >&2; exit 1; }

cp -r "$package"/{package.json,dist,deploy,LICENSE} "$root/opt/sluice/"
rm -rf "$root/opt/sluice/deploy/image"
(cd "$package" && npm ls --omit=dev --all --parseable) | tail -n +2 | while read -r module; do
  case $module in */node-linux-*|*/@types/*) continue ;; esac
  place=$root/opt/sluice/${module#"$package"/}
  mkdir -p "$place"
  # Packages inside of packages have lines of their own.
  tar -C "$module" --exclude=./node_modules -cf - . | tar -C "$place" -xf -
done
# Sources of C code, documentation and types are not needed to run it.
rm -rf "$root"/opt/sluice/node_modules/koffi/{vendor,doc}
find "$root/opt/sluice" -type f \( -name '*.d.ts' -o -name '*.d.?ts' -o -name '*.map' \) -delete

# What `kubectl exec POD -- sluice status` runs. Without a shell nothing can choose Node's options;
# the agent gets them from the image's entry point.
cat >"$root/usr/bin/sluice" <<'END'
#!/usr/bin/node
import("/opt/sluice/dist/cli/main.js");
END
chmod 755 "$root/usr/bin/sluice"

paths=()
for tool in "${tools[@]}"; do
  paths+=("$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$tool")") ||
    { echo "$tool is not installed" >&2; exit 1; }
done
libbpf=$(find_library libbpf.so.1)
[ -n "$libbpf" ] || { echo "libbpf1 is not installed" >&2; exit 1; }
for path in "${paths[@]}"; do copy "$path"; done
copy "$libbpf"
mapfile -t libraries < <(linked "$root/usr/bin/node" "${paths[@]}" "$libbpf")
copy "${libraries[@]}"

printf '%s\n' root:x:0:0:root:/:/usr/bin/node sluice:x:65532:65532:sluice:/:/usr/bin/node \
  >"$root/etc/passwd"
printf '%s\n' root:x:0: sluice:x:65532: >"$root/etc/group"

# The same input gives the same bytes.
find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
