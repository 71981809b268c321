import type { RouteTables } from '../../formats/iproute/route-flow.ts';
import { type AttemptScope, known } from './collector.ts';

/** The recorded rules and tables of the host; undefined when either could not be read. */
export function tablesOf(scope: AttemptScope): RouteTables | undefined {
  const rules = known(scope, 'rules');
  const routes = known(scope, 'routes');
  if (rules === undefined || routes === undefined) return undefined;
  const links = known(scope, 'links');
  const neighbours = known(scope, 'neighbours');
  // A router does not leave out gateways that do not answer (rt6_score_route(), RT6_LOOKUP_F_REACHABLE).
  const forwarding = known(scope, 'sysctls')?.['net.ipv6.conf.all.forwarding'] === '1';
  const failed = forwarding
    ? []
    : (neighbours ?? [])
        .filter(({ states }) => states.includes('FAILED'))
        .map(({ address, device }) => `${address} ${device}`);
  return {
    rules,
    routes,
    groupOf: (device) => links?.find(({ name }) => name === device)?.group,
    ...(failed.length === 0 ? {} : { gatewayFailed: (gateway, device) => failed.includes(`${gateway} ${device}`) }),
  };
}
