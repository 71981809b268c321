import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/** Files whose name holds a hash of what is in them never change: `assets/index-3f9a2c81.js`. */
const HASHED = /^assets\/.*[-.][\w-]{8,}\.\w+$/;

interface KnownFile {
  readonly path: string;
  readonly type: string;
}

/** The files of the page. Only those that were there at the start can be asked for, so that no path leads elsewhere. */
export class StaticFiles {
  readonly #files: ReadonlyMap<string, KnownFile>;

  constructor(folder: string) {
    this.#files = listFiles(folder);
  }

  /** Answers with a file, or with `index.html` for a path of the page; undefined when there is no such file. */
  respond(path: string, ifNoneMatch: string | null): Response | undefined {
    const name = path.replace(/^\/+/, '');
    const isPage = name === '' || !/\.\w+$/.test(name);
    const file = this.#files.get(isPage ? 'index.html' : name);
    if (file === undefined) return undefined;
    const bytes = readFileSync(file.path);
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    const headers = {
      'content-type': file.type,
      'cache-control': !isPage && HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag,
    };
    if (ifNoneMatch === etag) return new Response(null, { status: 304, headers });
    return new Response(bytes, { headers });
  }

  /** Whether there is a page at all. */
  get isEmpty(): boolean {
    return this.#files.size === 0;
  }
}

function listFiles(folder: string): Map<string, KnownFile> {
  const files = new Map<string, KnownFile>();
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return files;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    files.set(relative(folder, path).split(sep).join('/'), { path, type });
  }
  return files;
}
