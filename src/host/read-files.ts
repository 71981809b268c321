import { parseFilesInLines } from '../formats/procfs/files-in-lines.ts';
import { type Host, HostError } from './host.ts';

/** Bytes of paths in one command: a remote shell takes a command line of 128 KiB at most (MAX_ARG_STRLEN). */
const PATH_BYTES = 60_000;

/**
 * Reads many small text files of a host with few commands, so that a remote one is asked once or twice. What cannot be read is
 * absent, and so is an empty file. A host without `grep` is asked for each file.
 * @throws HostError when the host cannot be asked at all.
 */
export async function readFiles(host: Host, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (paths.length === 0) return new Map();
  if (host.readFiles !== undefined) return host.readFiles(paths);
  try {
    const answers = await Promise.all(
      partsOf(paths).map(async (part) => {
        // -a: a byte that is no text must not silence the rest.
        const { stdout } = await host.run(['grep', '-a', '-s', '-H', '', ...part]);
        return parseFilesInLines(stdout, part);
      }),
    );
    return new Map(answers.flatMap((files) => [...files]));
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'not-found') throw error;
    return readEach(host, paths);
  }
}

async function readEach(host: Host, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  await Promise.all(
    paths.map(async (path) => {
      const text = await readFileIfAny(host, path);
      if (text !== undefined && text !== '') files.set(path, text.replace(/\n$/, ''));
    }),
  );
  return files;
}

/** Reads a file; undefined when it cannot be had. */
export async function readFileIfAny(host: Host, path: string): Promise<string | undefined> {
  try {
    return await host.readFile(path);
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

function partsOf(paths: readonly string[]): string[][] {
  const parts: string[][] = [];
  let room = 0;
  for (const path of paths) {
    if (room < path.length + 1) {
      parts.push([]);
      room = PATH_BYTES;
    }
    parts.at(-1)?.push(path);
    room -= path.length + 1;
  }
  return parts;
}
