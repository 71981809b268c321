import type { Incident } from '../../../model/incident.ts';
import { formatTimestamp } from '../../../report/format.ts';
import { repairValue } from '../../history/incident-json.ts';
import { ApiError } from '../api-error.ts';
import { type Asker, type HttpApp, type HttpParts, json, readJson } from '../context.ts';
import { PlanChangedError, type Repairer } from '../repairer.ts';
import { planValue } from '../values.ts';
import { incidentId, noIncident } from './read.ts';

/** Adds preview and repair. What is done is what was shown: a confirm token ties the one to the other. */
export function addRepairRoutes(app: HttpApp, { view, store, repairer, confirms }: HttpParts): void {
  let busy = false;

  app.post('/api/v1/incidents/:id/repair/preview', async (context) => {
    const asker = context.var.asker;
    const repairs = allowed(repairer, asker);
    const incident = await openIncident(context.req.param('id'));
    const { remedyId } = await readJson(context);
    if (remedyId !== undefined && typeof remedyId !== 'string') {
      throw new ApiError(400, 'bad-body', 'remedyId is no text');
    }
    const plan = await repairs.plan(incident, remedyId);
    if (plan === undefined) {
      throw new ApiError(
        404,
        'not-found',
        `incident ${incident.id} has no ${remedyId === undefined ? '' : 'such '}repair`,
      );
    }
    if (plan.refused !== undefined) return json(context, { plan: planValue(plan) });
    const { token, expiresMs } = confirms.issue(plan, asker.key);
    return json(context, {
      plan: planValue(plan),
      confirm: { token, expiresAt: formatTimestamp(BigInt(expiresMs) * 1_000_000n) },
    });
  });

  app.post('/api/v1/incidents/:id/repair', async (context) => {
    const asker = context.var.asker;
    const repairs = allowed(repairer, asker);
    const incident = await openIncident(context.req.param('id'));
    const { confirm } = await readJson(context);
    if (typeof confirm !== 'string') {
      throw new ApiError(400, 'bad-body', 'confirm must be the token that the preview gave');
    }
    if (busy) throw new ApiError(429, 'too-many', 'another repair is under way', { retryAfter: 10 });
    const plan = confirms.redeem(confirm, incident.id, asker.key);
    busy = true;
    try {
      return json(context, { repair: repairValue(await repairs.apply(incident, plan)) });
    } catch (error) {
      if (!(error instanceof PlanChangedError)) throw error;
      throw new ApiError(409, 'plan-changed', error.message, { hint: 'preview the repair again' });
    } finally {
      busy = false;
    }
  });

  async function openIncident(text: string): Promise<Incident> {
    const id = incidentId(text);
    const incident = view.openIncidents().find((one) => one.id === id);
    if (incident !== undefined) return incident;
    if ((await store.incident(id)) === undefined) throw noIncident(id);
    throw new ApiError(409, 'repair-refused', `incident ${id} is closed: there is nothing to repair`);
  }
}

function allowed(repairer: Repairer | undefined, { mayRepair }: Asker): Repairer {
  if (repairer === undefined) throw new ApiError(501, 'no-repair', 'this watch does not repair');
  if (mayRepair) return repairer;
  throw new ApiError(403, 'repair-needs-login', 'repairing needs a login', {
    hint: 'log in with the token of the page; only root and the user of the watch repair without',
  });
}
