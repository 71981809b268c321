import type { Host } from '../host/host.ts';
import { addressCommands } from './build-addresses.ts';
import { setPortStates, upCommands } from './build-links.ts';
import { permanentNeighbours } from './build-neighbours.ts';
import { reconcileRoutes, reconcileRules } from './build-routes.ts';
import { type BuiltSysctls, buildSysctls, quietenLinks, writeSysctl } from './build-sysctls.ts';
import { IpBatch } from './ip-batch.ts';
import type { Notes } from './notes.ts';
import type { HostState } from './state.ts';

/** Limits of the kernel that would make replays differ from each other. */
const RATE_LIMITS: readonly string[] = ['ipv4/icmp_ratelimit', 'ipv6/icmp/ratelimit', 'ipv4/tcp_invalid_ratelimit'];

/**
 * Builds settings, addresses, routes, rules and neighbours of a host in the namespace of this process, in the order in which
 * nothing takes away what is already there.
 */
export async function buildNetwork(state: HostState, host: Host, notes: Notes): Promise<BuiltSysctls> {
  const sysctls = buildSysctls(state, notes);
  quietenLinks(state.links.map(({ name }) => name));
  const batch = new IpBatch();
  upCommands(state, batch);
  addressCommands(state, batch, notes);
  permanentNeighbours(state, batch);
  for (const { name, said } of await batch.run(host)) {
    if (!/File exists|already assigned/.test(said)) notes.missing(`${name}: ${said}`);
  }
  await Promise.all([
    setPortStates(state, host, notes),
    // Rules with tables that have no routes yet lead nowhere, which is what they do on the host as well.
    reconcileRoutes(state, host, notes).then(() => reconcileRules(state, host, notes)),
  ]);
  for (const path of RATE_LIMITS) writeSysctl(path, '0');
  return sysctls;
}
