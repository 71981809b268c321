import { type Cause, PATH_STEPS, type Remedy } from '../../../model/cause.ts';
import { changeCommands } from '../../../model/change-commands.ts';
import { quoteCommand } from '../../../model/shell-quote.ts';
import { STEP_TITLES } from '../../../report/catalogue.ts';
import type { JsonValue } from '../../../report/json-values.ts';
import { incidentSummaryValue } from '../../history/incident-json.ts';
import { ApiError } from '../api-error.ts';
import { type HttpApp, type HttpParts, json } from '../context.ts';
import { Parameters } from '../query.ts';

/** Adds what can be looked up: causes, and the search over everything. Both load the catalogue when they are first asked. */
export function addCatalogueRoutes(app: HttpApp, { store }: HttpParts): void {
  app.get('/api/v1/causes', async (context) => {
    const { CAUSES } = await import('../../../causes/index.ts');
    const steps = new Map(PATH_STEPS.map((step, index) => [step, index]));
    const sorted = [...CAUSES].sort((a, b) => (steps.get(a.step) ?? 0) - (steps.get(b.step) ?? 0));
    return json(context, { causes: sorted.map(causeRow) });
  });

  app.get('/api/v1/causes/:id', async (context) => {
    const { CAUSES } = await import('../../../causes/index.ts');
    const id = context.req.param('id');
    const cause = CAUSES.find((one) => one.id === id);
    if (cause === undefined) throw new ApiError(404, 'not-found', `there is no cause "${id.slice(0, 60)}"`);
    const titles = new Map(CAUSES.map((one) => [one.id, one.title]));
    return json(context, {
      cause: {
        ...causeRow(cause),
        explanation: cause.explanation.trim(),
        confusedWith: (cause.confusedWith ?? []).map((other) => ({
          id: other.id,
          title: titles.get(other.id),
          toldApartBy: other.toldApartBy,
        })),
        remedies: exampleRemedies(cause).map(remedyValue),
        references: cause.references,
      },
    });
  });

  app.get('/api/v1/search', async (context) => {
    const parameters = new Parameters(new URL(context.req.url).searchParams);
    const text = (parameters.text('q') ?? '').trim();
    const limit = parameters.count('limit', 1, 100) ?? 10;
    if (text === '') return json(context, { incidents: [], causes: [], words: [] });
    const number = /^#?(\d{1,15})$/.exec(text)?.[1];
    const named = number === undefined ? undefined : await store.incident(Number(number));
    const found = await store.incidents({ text, limit, samples: false });
    const incidents = [...(named === undefined ? [] : [named]), ...found.filter(({ id }) => id !== named?.id)];
    const { findWords } = await import('../find-words.ts');
    return json(context, {
      incidents: incidents.slice(0, limit).map(incidentSummaryValue),
      ...findWords(text, limit),
    });
  });
}

function causeRow({ id, title, place, step, sides }: Cause): { readonly [key: string]: JsonValue } {
  return { id, title, place, step, stepTitle: STEP_TITLES[step], sides };
}

/** Repairs that the documented examples of a cause lead to, each once. */
function exampleRemedies(cause: Cause): readonly Remedy[] {
  const byId = new Map<string, Remedy>();
  for (const { given, expect } of cause.examples) {
    if (expect !== 'confirmed' && expect !== 'likely') continue;
    for (const remedy of cause.remedies?.(given as ExampleFacts) ?? []) {
      if (!byId.has(remedy.id)) byId.set(remedy.id, remedy);
    }
  }
  return [...byId.values()];
}

type ExampleFacts = NonNullable<Cause['remedies']> extends (facts: infer Facts) => unknown ? Facts : never;

function remedyValue({ id, title, risk, auto, changes }: Remedy): JsonValue {
  return { id, title, risk, auto, commands: changes.flatMap(changeCommands).map((words) => quoteCommand(words)) };
}
