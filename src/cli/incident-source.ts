import { existsSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { HostError } from '../host/host.ts';
import { isSystemError } from '../host/system-error.ts';
import type { Incident } from '../model/incident.ts';
import { stateDirectory } from '../remedy/state-directory.ts';
import { formatTimestamp } from '../report/format.ts';
import { HistoryError } from '../service/history/history-error.ts';
import type { ExportFormat, IncidentQuery } from '../service/history/history-store.ts';
import { incidentFromValue } from '../service/history/incident-from-json.ts';
import { openHistoryForReading } from '../service/history/open-history.ts';
import { controlSocketCandidates, controlSocketIn } from '../service/http/control-socket.ts';
import { notWritable } from './output-files.ts';

/** The folder of the service, which a person without a state folder of their own means. */
const SERVICE_STATE = '/var/lib/synscope';

/** Where incidents are asked for: the watch that runs, or the files that one left. */
export interface IncidentSource {
  incidents(query: IncidentQuery): Promise<readonly Incident[]>;
  incident(id: number): Promise<Incident | undefined>;
  /** Writes everything that matches to a file, which is whole or not there. */
  export(format: ExportFormat, query: IncidentQuery, path: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Asks the watch that runs on this host; when none does, reads what one left.
 * @param from the state folder of the watch; unless given, the usual ones
 * @throws HostError when there is nothing, or it may not be read
 */
export async function openIncidentSource(from: string | undefined): Promise<IncidentSource> {
  const folder = from ?? stateDirectory();
  for (const path of from === undefined ? controlSocketCandidates(folder) : [controlSocketIn(from)]) {
    const state = await ask(path, '/api/v1/status').then(
      (response) => {
        response.resume();
        return 'there' as const;
      },
      (error: NodeJS.ErrnoException) => (error.code === 'EACCES' ? ('closed' as const) : ('none' as const)),
    );
    if (state === 'there') return askDaemon(path);
    if (state === 'closed') {
      throw new HostError(
        'no-permission',
        `a synscope watch runs, and ${path} may be used by its user and group only`,
        {
          hint: 'use sudo, or join the group synscope',
        },
      );
    }
  }
  for (const candidate of new Set([folder, ...(from === undefined ? [SERVICE_STATE] : [])])) {
    const source = await readFolder(candidate);
    if (source !== undefined) return source;
  }
  throw new HostError('not-found', `no synscope watch runs here, and none left a history in ${folder}`, {
    hint: 'start one: sudo synscope watch; or name its folder with --from',
  });
}

async function readFolder(folder: string): Promise<IncidentSource | undefined> {
  if (!existsSync(folder)) return undefined;
  const history = await inOurWords(openHistoryForReading(folder));
  if (history === undefined) return undefined;
  return {
    incidents: (query) => inOurWords(history.incidents(query)),
    incident: (id) => inOurWords(history.incident(id)),
    export: (format, query, path) =>
      history.export(format, query, path).catch((error: unknown) => {
        throw isSystemError(error) ? notWritable(path, error) : error;
      }),
    close: () => history.close(),
  };
}

/** What goes wrong with a history, as a failure of this host. */
function inOurWords<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    if (!(error instanceof HistoryError)) throw error;
    const kind = error.problem === 'no-permission' ? 'no-permission' : 'failed';
    throw new HostError(kind, error.message, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  });
}

function askDaemon(path: string): IncidentSource {
  return {
    async incidents(query) {
      const found: Incident[] = [];
      const { limit = 100 } = query;
      while (found.length < limit) {
        const page = Math.min(1000, limit - found.length);
        const { incidents, more } = (await json(
          path,
          `/api/v1/incidents?${parameters(query)}&limit=${page}&offset=${found.length}`,
        )) as { readonly incidents: readonly unknown[]; readonly more: boolean };
        for (const incident of incidents) found.push(incidentFromValue(incident));
        if (!more) break;
      }
      return found;
    },
    async incident(id) {
      const response = await ask(path, `/api/v1/incidents/${id}`);
      if (response.statusCode === 404) {
        response.resume();
        return undefined;
      }
      return incidentFromValue(((await body(response)) as { readonly incident: unknown }).incident);
    },
    async export(format, query, file) {
      const limit = query.limit === undefined ? '' : `&limit=${query.limit}`;
      const response = await ask(path, `/api/v1/export?format=${format}&${parameters(query)}${limit}`);
      if (response.statusCode !== 200) await body(response);
      const { saveStream } = await import('./save-stream.ts');
      await saveStream(response, file);
    },
    close: () => Promise.resolve(),
  };
}

function parameters({ sinceNs, untilNs, state, kind, causeId, port }: IncidentQuery): URLSearchParams {
  const search = new URLSearchParams();
  if (sinceNs !== undefined) search.set('since', formatTimestamp(sinceNs));
  if (untilNs !== undefined) search.set('until', formatTimestamp(untilNs));
  if (state !== undefined) search.set('state', state);
  if (kind !== undefined) search.set('kind', kind);
  if (causeId !== undefined) search.set('cause', causeId);
  if (port !== undefined) search.set('port', String(port));
  return search;
}

async function json(socketPath: string, path: string): Promise<unknown> {
  return await body(await ask(socketPath, path));
}

async function body(response: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  const value = JSON.parse(text) as { readonly error?: { readonly message: string; readonly hint?: string } };
  if (value.error === undefined) return value;
  const { message, hint } = value.error;
  throw new HostError('failed', `the watch says: ${message}`, hint === undefined ? {} : { hint });
}

function ask(socketPath: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, headers: { host: 'synscope' }, timeout: 60_000 }, resolve);
    sent.once('timeout', () => sent.destroy(new Error('the watch does not answer')));
    sent.once('error', reject);
    sent.end();
  });
}
