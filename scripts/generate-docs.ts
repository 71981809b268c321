// Writes docs/causes/: a page for each cause, an index, and catalogue.json for web pages: npm run generate [-- --check]
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { CAUSES } from '../src/causes/index.ts';
import { type Cause, PATH_STEPS } from '../src/model/cause.ts';
import { STEP_TITLES } from '../src/report/catalogue.ts';

const folder = fileURLToPath(new URL('../docs/causes/', import.meta.url));
const check = process.argv.includes('--check');
const pages = new Map<string, string>([
  ['README.md', indexPage()],
  ['catalogue.json', `${JSON.stringify({ schemaVersion: 1, causes: CAUSES.map(catalogueEntry) }, undefined, 2)}\n`],
  ...CAUSES.map((cause): [string, string] => [`${cause.id}.md`, causePage(cause)]),
]);
const stale = [...pages].filter(([name, text]) => read(name) !== text).map(([name]) => name);
const orphans = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => !pages.has(name));
if (check && stale.length + orphans.length > 0) {
  process.stderr.write(
    `docs/causes is stale (${[...stale, ...orphans].slice(0, 5).join(', ')}); run: npm run generate\n`,
  );
  process.exitCode = 1;
} else if (!check) {
  mkdirSync(folder, { recursive: true });
  for (const name of stale) writeFileSync(join(folder, name), pages.get(name) ?? '');
  for (const name of orphans) rmSync(join(folder, name));
}

function read(name: string): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function indexPage(): string {
  const groups = PATH_STEPS.flatMap((step) => {
    const causes = CAUSES.filter((cause) => cause.step === step);
    if (causes.length === 0) return [];
    return [
      `## ${STEP_TITLES[step]}\n\n${causes.map(({ id, title }) => `- [${id}](${id}.md): ${title}`).join('\n')}\n`,
    ];
  });
  return `# Causes\n\nGenerated from \`src/causes/\` by \`npm run generate\`. ${CAUSES.length} causes, in the order in which the packets of a handshake meet them.\n\n${groups.join('\n')}`;
}

function causePage({
  id,
  title,
  place,
  step,
  sides,
  explanation,
  confusedWith = [],
  references,
  scenario,
  examples,
}: Cause): string {
  const known = new Set(CAUSES.map((cause) => cause.id));
  const alike = confusedWith.map(
    (other) => `- ${known.has(other.id) ? `[${other.id}](${other.id}.md)` : other.id}: ${other.toldApartBy}`,
  );
  const lab =
    'impossible' in scenario
      ? `It cannot be made to happen in the lab: ${scenario.impossible}.`
      : `\`sudo synscope lab ${id}\` makes it happen for real in throw-away namespaces${scenario.families === undefined ? ', over IPv4 and IPv6' : `, over IPv${scenario.families.join(' and IPv')}`}${scenario.variants === undefined ? '' : `, in these forms too: ${scenario.variants.join(', ')}`}.`;
  return [
    `# ${id}`,
    `**${title}**`,
    `| where | step | evidence is had on |\n| --- | --- | --- |\n| ${place} | ${STEP_TITLES[step]} | ${sides.map((side) => `the ${side}`).join(' and ')} |`,
    explanation.trim(),
    ...(alike.length === 0 ? [] : [`## Easily taken for`, alike.join('\n')]),
    '## Examples',
    examples.map(({ name, expect }) => `- ${name}: **${expect}**`).join('\n'),
    '## Lab',
    lab,
    '## References',
    references.map((reference) => `- ${reference.startsWith('http') ? `<${reference}>` : reference}`).join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

function catalogueEntry({ id, title, place, step, sides, explanation, confusedWith = [], references }: Cause): object {
  return {
    id,
    title,
    place,
    step,
    stepTitle: STEP_TITLES[step],
    sides,
    explanation: explanation.trim(),
    confusedWith,
    references,
  };
}
