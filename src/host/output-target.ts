import { realpathSync } from 'node:fs';

/** Where a file really goes: through links, so that a link stays a link and nothing is put beside `/dev/stdout`. */
export function outputTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
