import type { Condition } from '../netfilter/truth.ts';
import type { Matcher, Specification } from './specification.ts';

const BY_MODULE: Readonly<Record<string, Condition>> = {
  limit: 'rate-limit',
  hashlimit: 'rate-limit',
  quota: 'rate-limit',
  rateest: 'rate-limit',
  recent: 'rate-limit',
  connlimit: 'connection-limit',
  set: 'set',
  rpfilter: 'reverse-path',
  owner: 'owner',
  socket: 'owner',
  cgroup: 'owner',
  ecn: 'ecn',
  tcpmss: 'options',
  osf: 'options',
  mark: 'mark',
  connmark: 'mark',
  time: 'time',
  statistic: 'random',
};

/** What a rule asks of a packet besides addresses and ports. */
export function asksOf({ matchers }: Specification): readonly Condition[] {
  return [...new Set(matchers.flatMap(asked))];
}

function asked({ module, options }: Matcher): readonly Condition[] {
  if (module === 'state' || module === 'conntrack') {
    return options.flatMap(({ name, values }): readonly Condition[] => {
      if (name !== '--ctstate' && name !== '--state') return ['ct-state'];
      const states = (values[0] ?? '').split(',');
      const named: Condition[] = [];
      if (states.includes('INVALID')) named.push('ct-invalid');
      if (states.includes('NEW')) named.push('ct-new');
      return named.length > 0 ? named : ['ct-state'];
    });
  }
  if (module === 'tcp' && options.some(({ name }) => name === '--tcp-option')) return ['options'];
  return Object.hasOwn(BY_MODULE, module) ? [BY_MODULE[module]!] : [];
}
