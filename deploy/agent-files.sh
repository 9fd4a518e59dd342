# What deploy/build-image and deploy/build-deb have in common; they source it in the repository's folder. Each sets `app`:
# where the agent's files go.

fail() {
  echo "$(basename "$0"): $1" >&2
  exit 1
}

# Sets `node`: this machine's own, that the dependencies' libraries were installed for.
find_node() {
  node=$(command -v node) || fail "node is not installed"
  node=$(readlink -f "$node")
}

# The agent and what it needs when it runs: the lock file's production dependencies, as they are installed here.
copy_agent() {
  local packages package relative platform
  node deploy/prepare.mjs
  mkdir -p "$app"
  cp -r dist package.json LICENSE "$app"
  packages=$(npm ls --omit=dev --all --parseable | tail -n +2) || fail "node_modules does not fit package-lock.json: run npm ci"
  while read -r package; do
    [ -n "$package" ] || continue
    relative=${package#"$PWD"/}
    mkdir -p "$app/$(dirname "$relative")"
    # A package below another one comes with that one.
    [ -e "$app/$relative" ] || cp -r "$package" "$app/$relative"
  done <<<"$packages"

  # Of koffi only the library, and only for this machine; of all packages no sources, types and maps.
  platform=$(node -p '`${process.platform}-${process.arch}`')
  find "$app/node_modules/@koromix" -mindepth 1 -maxdepth 1 -not -name "koffi-$platform" -exec rm -rf {} +
  rm -rf "$app"/node_modules/koffi/{vendor,lib,doc}
  find "$app/node_modules/koffi/src" -type f -not -name '*.js' -not -name '*.cjs' -not -name '*.json' -delete
  find "$app/node_modules" -path '*/prebuilds/*' -type d -not -name "$platform" -exec rm -rf {} +
  find "$app/node_modules" \( -name '*.musl.node' -o -name 'musl_*' \) -prune -exec rm -rf {} +
  # What install scripts have built, where they were run: their packages do without, and so must others' machines.
  find "$app/node_modules" -path '*/build/Release' -prune -exec rm -rf {} +
  find "$app/node_modules" \( -name node-addon-api -o -name '.*' \) -prune -exec rm -rf {} +
  find "$app/node_modules" -type f \( -name '*.map' -o -name '*.ts' -o -name '*.md' -o -name '*.mts' -o -name '*.cts' \) \
    -delete
  find "$app/node_modules" -path '*/node_modules/*' -type d \
    \( -name test -o -name tests -o -name coverage -o -name examples \) -exec rm -rf {} +
  find "$app/node_modules" -type d -empty -delete

  # What was taken away must not be missed.
  (cd "$app" && node -e 'for (const name of Object.keys(require("./package.json").dependencies)) require(name)') ||
    fail "a dependency cannot be loaded from the files in $app"
}

# node and the agent's addons: all that has to be loaded by this machine's loader. One path a line.
list_binaries() {
  echo "$node"
  find "$app/node_modules" -name '*.node'
}

# The shared libraries that the loader takes for them, one path a line.
list_libraries() {
  list_binaries | xargs -d '\n' ldd | grep -o '^\s.*' | grep -o '/[^ ]*' | sort -u
}

# The command. $1: node, where it will be; $2: the command's file here. The young generation's size is that of `npm start`.
write_command() {
  printf '#!%s --max-semi-space-size=1\nrequire("/usr/lib/pidward/dist/main.js");\n' "$1" >"$2"
  chmod 0755 "$2"
}
