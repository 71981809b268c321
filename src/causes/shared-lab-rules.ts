/** Where a chain of a scenario hooks in. */
export interface LabChain {
  /** `inet` unless given. */
  readonly family?: string;
  /** `lab` unless given. */
  readonly table?: string;
  /** `filter` unless given. */
  readonly type?: string;
  readonly hook: string;
  /** 0 unless given. */
  readonly priority?: number;
  readonly policy?: 'drop';
  /** Only in the family netdev. */
  readonly device?: string;
  /** Definitions inside the table, one a line: sets, further chains. */
  readonly definitions?: readonly string[];
}

/** A table with one base chain as text for `nft -f`. */
export function nftChain(chain: LabChain, ...rules: readonly string[]): string {
  const {
    family = 'inet',
    table = 'lab',
    type = 'filter',
    hook,
    priority = 0,
    policy,
    device,
    definitions = [],
  } = chain;
  const on = device === undefined ? '' : ` device "${device}"`;
  return [
    `table ${family} ${table} {`,
    ...definitions,
    `  chain ${hook} {`,
    `    type ${type} hook ${hook}${on} priority ${priority}; policy ${policy ?? 'accept'};`,
    ...rules.map((rule) => `    ${rule}`),
    '  }',
    '}',
    '',
  ].join('\n');
}
