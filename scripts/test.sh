#!/usr/bin/env bash
# The whole test run: sets up what is missing, checks the code, builds, runs the tests, and ends with one line
# `N passed, N failed, N skipped`. Exits 0 only when every check and test passed and at least one test ran.
#   --full   also the slow tests (FULL=1)
# Further arguments go to vitest, for example: scripts/test.sh src/formats
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

if [[ ${1:-} == --full ]]; then
  export FULL=1
  shift
fi

# Tests compare with these programs, or need them to make traffic; they say that they skip where one is missing.
declare -A package_of=([tcpdump]=tcpdump [tshark]=tshark [ip]=iproute2 [nft]=nftables [iptables]=iptables [unshare]=util-linux [zstd]=zstd [chromium]=chromium)
missing=()
for program in "${!package_of[@]}"; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
if ((${#missing[@]})); then
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "Installing Debian packages that tests need: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } </dev/null >/dev/null ||
      echo "Could not install them: the tests that need them will be skipped."
  else
    echo "Not installed: ${missing[*]}. The tests that need them will be skipped."
  fi
fi
[[ $(id -u) == 0 ]] || echo "Not root: the tests that need network namespaces will be skipped."

scripts/setup.sh </dev/null || exit
[[ ${FULL:-} == 1 ]] && scripts/get-promtool.sh </dev/null
PATH=$PWD/node_modules/.bin:$PATH:$PWD/.cache/promtool

failed_checks=()
check() {
  echo "== $*"
  "$@" </dev/null || failed_checks+=("$*")
}
check biome ci .
check tsc --noEmit
check tsc --noEmit -p web
check knip
check publint --strict

report=.cache/test-report.json
rm -f "$report"
echo "== vitest"
# Real failures are made and watched on a machine that does other things: such a test may try once more, and is named
# at the end. A property that does not hold for one input fails at once.
vitest run --retry.count=1 --retry.condition='^(?!Property failed)' \
  --reporter=default --reporter=json --outputFile.json="$report" "$@" </dev/null
vitest_status=$?

((${#failed_checks[@]})) && printf 'Check failed: %s\n' "${failed_checks[@]}"
node scripts/test-summary.ts "$report"
summary_status=$?
((vitest_status == 0 && summary_status == 0 && ${#failed_checks[@]} == 0))
