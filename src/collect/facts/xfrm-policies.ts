import {
  type IpXfrmPolicy,
  parseXfrmPolicies,
  type XfrmFlow,
  xfrmPolicyCovers,
} from '../../formats/iproute/xfrm-policy.ts';
import { type AttemptScope, type Collector, defineCollector, known } from './collector.ts';
import { endsOf, inputDevice } from './ends.ts';
import { listWith } from './run-tool.ts';

const COMMAND: readonly string[] = ['ip', 'xfrm', 'policy'];

/** IPsec policies, and whether they cover the packets of the attempt. */
export const xfrmPolicies: Collector = defineCollector<'xfrmPolicies', readonly IpXfrmPolicy[]>({
  provides: 'xfrmPolicies',
  baseline: false,
  after: ['outgoingRoute', 'links', 'addresses'],
  readAfter: [],
  async read(host) {
    return parseXfrmPolicies(await listWith(host, COMMAND));
  },
  fact(reading, _before, scope) {
    const out = flowOf(scope, 'out');
    const incoming = flowOf(scope, 'in');
    const value = reading.map((policy) => ({
      direction: policy.direction,
      source: policy.source,
      destination: policy.destination,
      action: policy.action,
      templates: policy.templates,
      matches:
        policy.direction === 'out'
          ? xfrmPolicyCovers(policy, out)
          : policy.direction === 'in' && xfrmPolicyCovers(policy, incoming),
      text: policy.text,
    }));
    return { value, source: COMMAND.join(' ') };
  },
});

function flowOf(scope: AttemptScope, way: 'in' | 'out'): XfrmFlow {
  const { here, peer } = endsOf(scope.attempt);
  const [from, to] = way === 'out' ? [here, peer] : [peer, here];
  const outgoing = known(scope, 'outgoingRoute');
  const device = way === 'in' ? inputDevice(scope) : outgoing?.device;
  const mark = way === 'out' ? known(scope, 'sockets')?.matching[0]?.mark : undefined;
  // The client's address is the route's choice when no packet showed it.
  const chosen = outgoing?.source ?? here.address;
  const own = (address: string): string =>
    address === here.address && /^(0\.0\.0\.0|::)$/.test(address) ? chosen : address;
  return {
    source: own(from.address),
    destination: own(to.address),
    sourcePort: from.port,
    destinationPort: to.port,
    ...(device === undefined ? {} : { device }),
    ...(mark === undefined ? {} : { mark }),
  };
}
