#!/usr/bin/env node
import { accessSync, constants, existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Where compiled code may be kept: beside the code, which is trusted exactly as much as the code itself, or in the home of
 * an ordinary user. Never the shared temporary folder, Node's default: synscope often runs as root.
 */
function compileCacheFolder() {
  try {
    accessSync(root, constants.W_OK);
    return join(root, '.cache', 'compile');
  } catch {
    return process.getuid?.() === 0 ? undefined : join(homedir(), '.cache', 'synscope', 'compile');
  }
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`synscope: needs Node.js 22.18 or newer, and this is ${process.versions.node} (${process.execPath})`);
  process.exitCode = 2;
} else if (!existsSync(join(root, 'dist', 'cli', 'main.js'))) {
  console.error(`synscope: ${root} is a checkout that was not built; start ./synscope in it, which builds it first`);
  process.exitCode = 2;
} else {
  // What lives long here lies in typed arrays; a young generation that may grow to its default size only costs memory.
  v8.setFlagsFromString('--max-semi-space-size=2');
  v8.setFlagsFromString('--semi-space-growth-factor=1');
  const folder = compileCacheFolder();
  if (folder !== undefined) module.enableCompileCache(folder);
  await import('../dist/cli/main.js');
}
