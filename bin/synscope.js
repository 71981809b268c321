#!/usr/bin/env node
// Built-in modules are taken as they are: an import of one would load whatever else of Node it has getters for.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`synscope: needs Node.js 22.18 or newer, and this is ${process.versions.node} (${process.execPath})`);
  process.exitCode = 2;
} else {
  start();
}

function start() {
  const { existsSync } = process.getBuiltinModule('node:fs');
  const { dirname, join } = process.getBuiltinModule('node:path');
  const module = process.getBuiltinModule('node:module');
  const root = dirname(import.meta.dirname);
  const main = join(root, 'dist', 'cli', 'main.cjs');
  if (!existsSync(main)) {
    console.error(`synscope: ${root} is a checkout that was not built; start ./synscope in it, which builds it first`);
    process.exitCode = 2;
    return;
  }
  // No flags of V8 are set: then neither Node's nor our compiled code is used, and all of it is compiled again.
  const folder = compileCacheFolder(root);
  if (folder !== undefined) module.enableCompileCache(folder);
  module.createRequire(import.meta.url)(main);
}

/**
 * Where compiled code may be kept: beside the code, which is trusted exactly as much as the code itself, or in the home of
 * an ordinary user. Never the shared temporary folder, Node's default: synscope often runs as root.
 */
function compileCacheFolder(root) {
  const { accessSync, constants } = process.getBuiltinModule('node:fs');
  const { join } = process.getBuiltinModule('node:path');
  try {
    accessSync(root, constants.W_OK);
    return join(root, '.cache', 'compile');
  } catch {
    if (process.getuid?.() === 0) return undefined;
    return join(process.getBuiltinModule('node:os').homedir(), '.cache', 'synscope', 'compile');
  }
}
