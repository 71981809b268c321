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
  const native = process.getBuiltinModule('node:module').createRequire(import.meta.url);
  const root = dirname(import.meta.dirname);
  const chunks = join(root, 'dist', 'cli');
  if (!existsSync(join(chunks, 'main.cjs'))) {
    console.error(`synscope: ${root} is a checkout that was not built; start ./synscope in it, which builds it first`);
    process.exitCode = 2;
    return;
  }
  const folder = codeFolder(root);
  if (folder === undefined) native(join(chunks, 'main.cjs'));
  else loadWithCode(chunks, join(folder, `${process.version}-${process.arch}.code`), native);
}

/**
 * Where compiled code may be kept: beside the code, which is trusted exactly as much as the code itself, or in the home of
 * an ordinary user. Never the shared temporary folder: synscope often runs as root.
 */
function codeFolder(root) {
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

/**
 * Runs the command line with the code that V8 made of its chunks in earlier runs, which is a third of the time of a short command. Node's
 * own compile cache keeps what V8 compiles before anything ran, and that is hardly more than the names of functions. (No flags of V8 are
 * set anywhere: with them it takes neither this code nor that of Node's own modules, and compiles all of it again.)
 */
function loadWithCode(folder, file, native) {
  const fs = process.getBuiltinModule('node:fs');
  const vm = process.getBuiltinModule('node:vm');
  const { join } = process.getBuiltinModule('node:path');
  const kept = openCode(fs, file);
  const chunks = new Map();
  // A chunk grows by what a command uses of it when that runs for the first time.
  const command = process.argv[2] ?? '';
  let grows = !kept.commands.includes(command);

  function load(id) {
    if (!id.startsWith('./')) return native(id);
    const known = chunks.get(id);
    if (known !== undefined) return known.chunk.exports;
    const filename = join(folder, id);
    const source = fs.readFileSync(filename);
    const cachedData = kept.codeOf(id, source);
    const text = `(function (exports, require, module, __filename) {${source}\n})`;
    const script = new vm.Script(text, { filename, ...(cachedData === undefined ? {} : { cachedData }) });
    if (cachedData === undefined || script.cachedDataRejected) grows = true;
    const chunk = { exports: {} };
    chunks.set(id, { chunk, source, script });
    script.runInThisContext()(chunk.exports, load, chunk, filename);
    return chunk.exports;
  }

  process.once('exit', (exitCode) => {
    // A command line that is wrong says nothing of what a right one needs.
    if (grows && exitCode !== 2) keepCode(fs, file, kept, command, chunks);
  });
  load('./main.cjs');
}

/**
 * Opens a file of compiled code: the length of its index (4 bytes), the index, and then the source and the code of each chunk. A source
 * is there to be compared with what it is now: V8 itself looks at the length alone.
 */
function openCode(fs, file) {
  const none = { commands: [], chunks: {}, read: () => Buffer.alloc(0), codeOf: () => undefined };
  try {
    const fd = fs.openSync(file);
    const read = (at, bytes) => {
      const buffer = Buffer.allocUnsafe(bytes);
      if (fs.readSync(fd, buffer, 0, bytes, at) !== bytes) throw new RangeError('too short');
      return buffer;
    };
    const indexBytes = read(0, 4).readUInt32LE();
    const { commands, chunks, bytes } = JSON.parse(read(4, indexBytes).toString());
    const start = 4 + indexBytes;
    if (fs.fstatSync(fd).size !== start + bytes) return none;
    const codeOf = (id, source) => {
      const { at, sourceBytes, codeBytes } = chunks[id] ?? {};
      if (sourceBytes !== source.length) return undefined;
      const both = read(start + at, sourceBytes + codeBytes);
      return source.equals(both.subarray(0, sourceBytes)) ? both.subarray(sourceBytes) : undefined;
    };
    return { commands, chunks, read: (at, bytes) => read(start + at, bytes), codeOf };
  } catch {
    return none;
  }
}

/** Keeps the code of the chunks that ran, and of those that others kept; nothing is lost when it cannot be kept. */
function keepCode(fs, file, kept, command, chunks) {
  const partial = `${file}.${process.pid}`;
  try {
    const index = { commands: [...new Set([...kept.commands, command])], chunks: {}, bytes: 0 };
    const pieces = [];
    const add = (id, sourceBytes, codeBytes, ...bytes) => {
      index.chunks[id] = { at: index.bytes, sourceBytes, codeBytes };
      index.bytes += sourceBytes + codeBytes;
      pieces.push(...bytes);
    };
    for (const [id, { source, script }] of chunks) {
      const code = script.createCachedData();
      add(id, source.length, code.length, source, code);
    }
    for (const [id, old] of Object.entries(kept.chunks)) {
      const { sourceBytes, codeBytes } = old;
      if (!chunks.has(id)) add(id, sourceBytes, codeBytes, kept.read(old.at, sourceBytes + codeBytes));
    }
    const text = Buffer.from(JSON.stringify(index));
    const indexBytes = Buffer.alloc(4);
    indexBytes.writeUInt32LE(text.length);
    fs.mkdirSync(file.replace(/[^/]*$/, ''), { recursive: true });
    const fd = fs.openSync(partial, 'wx', 0o644);
    fs.writeFileSync(fd, Buffer.concat([indexBytes, text, ...pieces]));
    // What a crash leaves half-written must never run.
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fs.renameSync(partial, file);
  } catch {
    fs.rmSync(partial, { force: true });
  }
}
