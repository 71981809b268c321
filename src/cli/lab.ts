import { type Command, UsageError } from './command.ts';
import { interruptSignal } from './interrupt.ts';

/** What the options of `lab` were set to. */
export interface LabCommandOptions {
  readonly all?: boolean;
  readonly family?: 4 | 6;
  readonly variant?: string;
  readonly side?: 'server' | 'client';
  readonly seed?: number;
  readonly jobs: number;
  readonly shard?: { readonly index: number; readonly count: number };
  readonly decoys: boolean;
  readonly json?: boolean;
  readonly record?: string;
}

export const command: Command = {
  name: 'lab',
  argument: '[cause...]',
  argumentDescription: 'causes to break, or healthy hosts to build; a list of them without',
  summary: 'break it for real in throw-away namespaces, and diagnose it',
  examples: [
    ['synscope lab', 'what can be broken'],
    ['sudo synscope lab no-return-route', 'both families, from the server and from the client'],
    ['sudo synscope lab no-return-route --family 6 --seed 7', 'the same addresses, ports and decoys each time'],
    ['sudo synscope lab --all --jobs 2 --json', 'everything, with totals and a confusion matrix'],
  ],
  options: [
    { flags: '--all', description: 'every cause that can be broken, and every healthy host' },
    { flags: '--family <4|6>', description: 'only IPv4 or only IPv6', parse: (text) => parseFamily(text) },
    { flags: '--variant <name>', description: 'only this variant' },
    {
      flags: '--side <side>',
      description: 'only from the server, or only from the client',
      parse: (text) => parseSide(text),
    },
    {
      flags: '--seed <n>',
      description: 'draws addresses, ports and decoys; printed when not given',
      parse: (text) => parseCount('--seed', text, 0),
    },
    { flags: '--no-decoys', description: 'without harmless things that could mislead' },
    {
      flags: '--jobs <n>',
      description: 'runs at a time: 1 unless given',
      parse: (text) => parseCount('--jobs', text, 1),
      initial: 1,
    },
    { flags: '--shard <i/n>', description: 'only the i-th of n equal parts', parse: (text) => parseShard(text) },
    { flags: '--record <dir>', description: 'also write what each diagnosis asked and was answered, as bundles' },
    { flags: '--json', description: 'print everything as one JSON object (docs/json.md)' },
  ],
  async run(names, given) {
    const options = given as unknown as LabCommandOptions;
    if (options.all === true && names.length > 0) throw new UsageError('--all takes no names of causes');
    const { listLab, runLab } = await import('./lab-run.ts');
    if (names.length === 0 && options.all !== true) return listLab(options);
    return runLab(names, options, interruptSignal());
  },
};

function parseFamily(text: string): 4 | 6 {
  if (text !== '4' && text !== '6') throw new UsageError(`--family takes 4 or 6, and "${text}" is neither`);
  return text === '4' ? 4 : 6;
}

function parseSide(text: string): 'server' | 'client' {
  if (text !== 'server' && text !== 'client')
    throw new UsageError(`--side takes server or client, and "${text}" is neither`);
  return text;
}

function parseCount(option: string, text: string, least: number): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= least && count <= 0xffff_ffff))
    throw new UsageError(`${option} takes a whole number from ${least} on, and "${text}" is none`);
  return count;
}

function parseShard(text: string): { index: number; count: number } {
  const [, first, second] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const [index, count] = [Number(first), Number(second)];
  if (!(index >= 1 && index <= count)) throw new UsageError(`--shard takes a part such as 1/4, and "${text}" is none`);
  return { index, count };
}
