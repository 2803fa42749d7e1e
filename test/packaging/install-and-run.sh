#!/usr/bin/env bash
# Packs the package, installs it with npm into an empty project, compiles a strict program against it and runs it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$root" && npm pack --silent --ignore-scripts --pack-destination "$work" >/dev/null)
cp "$here/app/main.ts" "$here/app/tsconfig.json" "$work/"
cd "$work"
echo '{ "private": true, "type": "module" }' > package.json
version() { node -p "require('$root/package.json').devDependencies['$1']"; }
npm install --silent --prefer-offline --no-audit --no-fund \
  ./*.tgz "typescript@$(version typescript)" "@types/node@$(version @types/node)"
npx --no-install tsc
said=$(node out/main.js)
echo "$said"
expected='{"accepted":true,"version":2,"value":42,"verified":true,"events":true,"test":null}'
[ "$said" = "$expected" ] || { echo "expected $expected" >&2; exit 1; }
npx --no-install agentctl --help >/dev/null
