import { InputError } from '../model/errors.ts';
import type { Incident } from '../model/incident.ts';
import { encodeJson } from '../report/json.ts';
import { renderIncident } from '../report/terminal-incident.ts';
import { diagnosisFromValue } from '../service/history/diagnosis-from-json.ts';
import { incidentValue } from '../service/history/incident-json.ts';
import { openIncidentSource } from './incident-source.ts';
import { OutputBuffer, outputStyle } from './output.ts';
import { writeWhole } from './output-files.ts';
import type { ShowOptions } from './show.ts';

/** Prints an incident, and writes the page that was asked for. @throws InputError when there is no such incident */
export async function runShow(id: number, { json = false, html, verbose, from }: ShowOptions): Promise<Incident> {
  const source = await openIncidentSource(from);
  let incident: Incident | undefined;
  try {
    incident = await source.incident(id);
  } finally {
    await source.close();
  }
  if (incident === undefined) {
    throw new InputError({
      code: 'not-found',
      message: `There is no incident ${id}.`,
      hint: 'They are listed by: synscope incidents',
    });
  }
  const samples = incident.samples.flatMap((sample) => diagnosisFromValue(sample) ?? []);
  const output = new OutputBuffer();
  if (json) {
    output.write(
      `{\n  "schemaVersion": 1,\n  "command": "show",\n  "incident": ${encodeJson(incidentValue(incident))}\n}\n`,
    );
  } else output.write(renderIncident({ incident, samples }, { ...outputStyle(), verbose }));
  output.flush();
  if (html !== undefined) {
    const { renderIncidentHtml } = await import('../report/html-incident.ts');
    writeWhole(html, renderIncidentHtml({ incident, samples }));
  }
  return incident;
}
