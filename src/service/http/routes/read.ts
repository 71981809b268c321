import { formatTimestamp } from '../../../report/format.ts';
import { incidentSummaryValue, incidentValue } from '../../history/incident-json.ts';
import { ApiError } from '../api-error.ts';
import { type HttpApp, type HttpParts, json } from '../context.ts';
import { incidentQuery, Parameters } from '../query.ts';
import { historyValue, listenerValue, statusValue, stepValue } from '../values.ts';

const STEPS_WANTED = 120;
const MAX_STEPS = 2000;
const STEP_LENGTHS_MS: readonly number[] = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400].map(
  (seconds) => seconds * 1000,
);
const HOUR_NS = 3_600_000_000_000n;

/** Adds what is only looked at: status, listeners, incidents, time line. */
export function addReadRoutes(app: HttpApp, { view, store, repairer, loginNeeded }: HttpParts): void {
  app.get('/api/v1/status', (context) => {
    const { loggedIn, mayRepair } = context.var.asker;
    return json(context, {
      schemaVersion: 1,
      ...statusValue(view.status()),
      history: historyValue(store.state()),
      session: { loginConfigured: loginNeeded, loggedIn, mayRepair: mayRepair && repairer !== undefined },
      repair: repairer !== undefined,
    });
  });

  app.get('/api/v1/listeners', (context) => json(context, { listeners: view.listeners().map(listenerValue) }));

  app.get('/api/v1/incidents', async (context) => {
    const parameters = new Parameters(new URL(context.req.url).searchParams);
    const limit = parameters.count('limit', 1, 1000) ?? 100;
    const offset = parameters.count('offset', 0, 1_000_000) ?? 0;
    // One more tells whether there are more.
    const found = await store.incidents({ ...incidentQuery(parameters), limit: limit + 1, offset, samples: false });
    return json(context, {
      schemaVersion: 1,
      incidents: found.slice(0, limit).map(incidentSummaryValue),
      more: found.length > limit,
    });
  });

  app.get('/api/v1/incidents/:id', async (context) => {
    const id = incidentId(context.req.param('id'));
    const incident = await store.incident(id);
    if (incident === undefined) throw noIncident(id);
    return json(context, { schemaVersion: 1, incident: incidentValue(incident) });
  });

  app.get('/api/v1/timeline', async (context) => {
    const parameters = new Parameters(new URL(context.req.url).searchParams);
    const toNs = parameters.moment('to') ?? BigInt(Date.now()) * 1_000_000n;
    const fromNs = parameters.moment('from') ?? toNs - HOUR_NS;
    if (fromNs >= toNs) throw new ApiError(400, 'bad-query', 'from must lie before to');
    const spanMs = Number((toNs - fromNs) / 1_000_000n);
    const stepMs = parameters.count('step', 1000, 86_400_000) ?? niceStep(spanMs);
    if (spanMs / stepMs > MAX_STEPS) {
      throw new ApiError(400, 'bad-query', `these are more than ${MAX_STEPS} steps`, { hint: 'take a longer step' });
    }
    const direction = parameters.word('direction', ['inbound', 'outbound']);
    const namespace = parameters.text('namespace');
    const address = parameters.text('address');
    const port = parameters.count('port', 1, 65_535);
    const steps = await store.timeline(fromNs, toNs, stepMs, {
      ...(direction === undefined ? {} : { direction }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(address === undefined ? {} : { address }),
      ...(port === undefined ? {} : { port }),
    });
    return json(context, {
      from: formatTimestamp(fromNs),
      to: formatTimestamp(toNs),
      stepMs,
      steps: steps.map(stepValue),
    });
  });
}

/** Reads the number of an incident in a path. @throws ApiError 404 */
export function incidentId(text: string): number {
  const id = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (id === 0) throw new ApiError(404, 'not-found', `"${text.slice(0, 40)}" is no number of an incident`);
  return id;
}

/** The error for an incident that is not there. */
export function noIncident(id: number): ApiError {
  return new ApiError(404, 'not-found', `there is no incident ${id}`);
}

function niceStep(spanMs: number): number {
  const longest = STEP_LENGTHS_MS.at(-1) ?? 0;
  return (
    STEP_LENGTHS_MS.find((stepMs) => spanMs / stepMs <= STEPS_WANTED) ??
    Math.ceil(spanMs / STEPS_WANTED / longest) * longest
  );
}
