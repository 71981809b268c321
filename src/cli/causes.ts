import type { Cause } from '../model/cause.ts';
import { type Command, EXIT_NOTHING_WRONG, UsageError } from './command.ts';
import { OutputBuffer, outputStyle } from './output.ts';

export const command: Command = {
  name: 'causes',
  argument: '[text...]',
  argumentDescription: 'only causes whose name or title holds this text',
  summary: 'the catalogue of causes, in the order in which a handshake meets them',
  examples: [
    ['synscope causes', 'every cause that can be recognised'],
    ['synscope causes queue', 'those about queues'],
    ['synscope causes --json', 'the catalogue for scripts'],
  ],
  options: [{ flags: '--json', description: 'print one JSON object' }],
  async run(words, given) {
    const { json = false } = given as { readonly json?: boolean };
    const { CAUSES } = await import('../causes/index.ts');
    const { renderCatalogue } = await import('../report/catalogue.ts');
    const text = words.join(' ').toLowerCase();
    const found = CAUSES.filter(
      ({ id, title }) => id.includes(text.replaceAll(' ', '-')) || title.toLowerCase().includes(text),
    );
    if (found.length === 0)
      throw new UsageError(`no cause has "${text}" in its name or title; all of them: synscope causes`);
    const output = new OutputBuffer();
    output.write(json ? catalogueJson(found) : renderCatalogue(found, outputStyle()));
    output.flush();
    return EXIT_NOTHING_WRONG;
  },
};

function catalogueJson(causes: readonly Cause[]): string {
  const values = causes.map(
    ({ id, title, place, step, sides, explanation, confusedWith = [], references, scenario }) => ({
      id,
      title,
      place,
      step,
      sides,
      explanation: explanation.trim(),
      confusedWith,
      references,
      lab:
        'impossible' in scenario
          ? { impossible: scenario.impossible }
          : { families: scenario.families ?? [4, 6], variants: scenario.variants ?? [] },
    }),
  );
  return `${JSON.stringify({ schemaVersion: 1, command: 'causes', causes: values }, undefined, 2)}\n`;
}
