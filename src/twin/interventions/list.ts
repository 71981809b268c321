import { additions } from './additions.ts';
import type { Bench } from './bench.ts';
import { type Intervention, keyOf } from './intervention.ts';
import { linkLayerInterventions } from './link-layer.ts';
import { netfilterInterventions } from './netfilter.ts';
import { otherInterventions } from './others.ts';
import { addressInterventions } from './own-addresses.ts';
import { packetInterventions } from './packets.ts';
import { routingInterventions } from './routing.ts';
import { socketInterventions } from './sockets.ts';
import { sysctlInterventions } from './sysctls.ts';
import { trafficFilterInterventions } from './traffic-filters.ts';

/** Everything that can be changed in a twin; the same for every twin of the same state and the same SYN. */
export function listInterventions(bench: Bench): Intervention[] {
  const all = [
    ...netfilterInterventions(bench),
    ...routingInterventions(bench),
    ...sysctlInterventions(bench),
    ...linkLayerInterventions(bench),
    ...addressInterventions(bench),
    ...(bench.twin.role === 'client' ? [] : socketInterventions(bench)),
    ...trafficFilterInterventions(bench),
    ...otherInterventions(bench),
    ...(bench.twin.role === 'client' ? [] : packetInterventions(bench)),
    ...additions(bench),
  ];
  const seen = new Set<string>();
  return all.filter(({ element }) => {
    const key = keyOf(element);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
