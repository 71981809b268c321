import { api } from '../api/client.ts';
import type { CauseRow } from '../api/types.ts';

let known: Promise<readonly CauseRow[]> | undefined;

/** The catalogue of causes; it does not change while a watch runs, so it is read once. */
export function readCatalogue(): Promise<readonly CauseRow[]> {
  known ??= api.causes().catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}
