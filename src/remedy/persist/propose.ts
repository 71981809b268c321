import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { sysctlPath } from '../../model/change-commands.ts';
import type { GatewayEvidence, PersistentChange, RepairStep } from '../../model/repair.ts';
import { Configuration } from '../gateway/configuration.ts';
import { type GatewayDevice, readDevices } from '../gateway/devices.ts';
import { ifupdownRoute } from './ifupdown-route.ts';
import { netplanRoute } from './netplan-route.ts';
import { networkManagerRoute } from './network-manager-route.ts';
import { networkdRoute } from './networkd-route.ts';
import { readIfAny } from './write.ts';

/** A route that is to be written into a configuration. */
export type RouteChange = Extract<Change, { kind: 'route' }>;

/** What a configuration system needs to say a route. */
export interface PersistQuestion {
  readonly host: Host;
  readonly configuration: Configuration;
  readonly device: GatewayDevice;
  readonly route: RouteChange;
}

/** How a repair can be made to last. */
export interface Proposal {
  readonly change?: PersistentChange;
  /** What to say where nothing is to be written. */
  readonly note?: string;
}

/**
 * Says how a repair would be written into the configuration of the host; writes nothing.
 * @param evidence where the gateway of an added route is known from.
 * @throws HostError
 */
export async function proposePersistent(
  host: Host,
  causeId: string,
  steps: readonly RepairStep[],
  evidence: GatewayEvidence | undefined,
): Promise<Proposal> {
  const changes = steps.filter(({ alreadySo }) => !alreadySo).map(({ change }) => change);
  const settings = changes.filter((change) => change.kind === 'sysctl');
  if (settings.length > 0 && settings.length === changes.length) return sysctlFile(host, causeId, settings);
  const [route] = changes;
  if (changes.length !== 1 || route?.kind !== 'route') {
    return changes.length === 0
      ? {}
      : { note: 'It lasts until the host is restarted, or whoever manages this part of it sets it anew.' };
  }
  if (route.action !== 'add' || route.via === undefined) {
    return {
      note: 'It lasts until the host is restarted; look where the route comes from, so that it does not come back.',
    };
  }
  return evidence === undefined ? proposeRoute(host, route) : (fromEvidence(evidence) ?? proposeRoute(host, route));
}

/** A configuration that names the gateway already needs no change: something took the route away afterwards. */
function fromEvidence({ source, statement }: GatewayEvidence): Proposal | undefined {
  if (source.startsWith('/etc/') || source.startsWith('/usr/lib/') || source.startsWith('/lib/')) {
    return { note: `${statement}: it comes back at the next start by itself. Find out what took it away.` };
  }
  if (/lease/.test(statement)) {
    return { note: `${statement}: it comes back when the lease is renewed. Find out what took it away.` };
  }
  if (/router advertisement/.test(statement)) {
    return { note: `${statement}: it comes back with the next one, if the interface takes them (accept_ra).` };
  }
  return undefined;
}

async function proposeRoute(host: Host, route: RouteChange): Promise<Proposal> {
  const device = (await readDevices(host)).find(({ name }) => name === route.device);
  const none =
    'No configuration of netplan, systemd-networkd, NetworkManager or ifupdown is about this interface: make it last where the network of this host is configured.';
  if (device === undefined) return { note: none };
  const question: PersistQuestion = { host, configuration: new Configuration(host), device, route };
  for (const propose of [netplanRoute, networkManagerRoute, networkdRoute, ifupdownRoute]) {
    const change = await propose(question);
    if (change !== undefined) return { change };
  }
  return { note: none };
}

async function sysctlFile(
  host: Host,
  causeId: string,
  settings: readonly Extract<Change, { kind: 'sysctl' }>[],
): Promise<Proposal> {
  const path = new Configuration(host).pathOf(`/etc/sysctl.d/90-synscope-${causeId}.conf`);
  if (path === undefined) return {};
  const current = await readIfAny(host, path);
  // With slashes a name may hold the dots of an interface (sysctl.d(5)).
  const lines = settings.map(({ key, value }) => `${sysctlPath(key)} = ${value}`);
  const content = `# Written by synscope (${causeId}).\n${lines.join('\n')}\n`;
  return {
    change: {
      system: 'sysctl.d',
      path,
      content,
      ...(current === undefined ? {} : { current }),
      added: lines,
      statement: 'read at every start by systemd-sysctl or procps',
    },
  };
}
