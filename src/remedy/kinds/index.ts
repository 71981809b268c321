import type { Change } from '../../model/cause.ts';
import { address } from './address.ts';
import { advice } from './advice.ts';
import { command } from './command.ts';
import { iptablesRule } from './iptables-rule.ts';
import type { Kind } from './kind.ts';
import { link } from './link.ts';
import { neighbour } from './neighbour.ts';
import { nftRule } from './nft-rule.ts';
import { route } from './route.ts';
import { rule } from './rule.ts';
import { service } from './service.ts';
import { sysctl } from './sysctl.ts';

const KINDS: { readonly [K in Change['kind']]: Kind } = {
  sysctl,
  route,
  rule,
  'nft-rule': nftRule,
  'iptables-rule': iptablesRule,
  neighbour,
  link,
  address,
  service,
  command,
  advice,
};

/** The kind that knows a change. */
export function kindOf(change: Change): Kind {
  return KINDS[change.kind];
}
