#!/bin/sh
# Makes a checkout ready to run: installs the packages of package-lock.json and builds src into dist, each only when
# needed. Safe to run several times at once: one does the work, the others wait for it. Exits 2 when it cannot.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 2
cd "$root" || exit 2
lock=.cache/setup.lock
log=.cache/setup.log

say() { printf 'synscope: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 2
}

needs_install() {
  [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]
}
needs_build() {
  [ ! -f dist/.stamp ] || [ -n "$(find src lab web scripts/build.ts scripts/build-page.ts tsconfig.json tsconfig.build.json -newer dist/.stamp)" ]
}

is_alive() { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]; }

# The lock is a symbolic link to the owner's process id: made and filled in one atomic step. The link of a dead owner is
# removed under a second lock that carries the dead owner's id, so that nobody removes the link of its successor.
acquire() {
  waited=0
  until ln -s "$$" "$lock" 2>/dev/null; do
    owner=$(readlink "$lock")
    if [ -n "$owner" ] && ! is_alive "$owner" && mkdir "$lock.$owner" 2>/dev/null; then
      [ "$(readlink "$lock")" = "$owner" ] && rm -f "$lock"
      rmdir "$lock.$owner"
      continue
    fi
    [ "$waited" -eq 2 ] && say "another run is setting up (process $owner), waiting for it"
    [ "$waited" -ge 600 ] && fail "process $owner has been setting up for 10 minutes; end it, or remove $root/$lock*"
    waited=$((waited + 1))
    sleep 1
  done
  trap 'rm -f "$lock"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

install_packages() {
  command -v npm >/dev/null || fail "npm was not found, and the first use needs it; install Node.js 20 or newer with npm"
  say "first use or new package-lock.json: installing packages (once, needs the network)"
  # Development packages are needed whatever NODE_ENV says: the compiler and the Node that runs synscope are among them.
  if ! npm ci --include=dev --no-audit --no-fund >"$log" 2>&1; then
    reason=$(sed -n 's/^npm error code //p' "$log" | head -n 1)
    case $reason in
      EAI_AGAIN | ENOTFOUND | ECONN* | ETIMEDOUT | ENETUNREACH | EHOSTUNREACH | ERR_SOCKET_TIMEOUT)
        fail "could not install packages: npm cannot reach its registry ($reason); check network and proxy (log: $root/$log)"
        ;;
      *) fail "could not install packages: npm ci failed (${reason:-no code}; log: $root/$log)" ;;
    esac
  fi
  touch node_modules/.package-lock.json
}

# Node 24 comes with the packages, through an install script that a user's npm configuration may forbid.
check_node() {
  PATH=$root/node_modules/.bin:$PATH
  command -v node >/dev/null || fail "Node.js was not found; remove $root/node_modules and run again"
  node -e '[a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 18) ? 0 : 1)' ||
    fail "needs Node.js 22.18 or newer; the one that npm should have installed is missing (are install scripts switched off?) and the system's is $(node --version)"
}

build() {
  say "building"
  if ! node scripts/build.ts >"$log" 2>&1; then
    cat "$log" >&2
    fail "the build failed (see above)"
  fi
}

mkdir -p .cache 2>/dev/null && [ -w .cache ] || fail "cannot write to $root, which the setup needs; run it once as the owner of that folder"
acquire
if needs_install; then install_packages; fi
check_node
if needs_build; then build; fi
exit 0
