import type { Host } from '../../host/host.ts';
import type { GatewayEvidence, RepairCheck } from '../../model/repair.ts';
import { gatewayAnswers } from './answers.ts';
import { Configuration } from './configuration.ts';
import { type GatewayDevice, isOnLink, readDevices } from './devices.ts';
import { ifupdown } from './ifupdown.ts';
import { leases } from './leases.ts';
import { netplan } from './netplan.ts';
import { networkManager } from './network-manager.ts';
import { networkd } from './networkd.ts';
import { routers } from './routers.ts';
import type { GatewayQuestion, GatewaySource } from './source.ts';

/** What is looked for. */
export interface GatewayWish {
  readonly family: 4 | 6;
  /** The interface of the failing client, where known. */
  readonly device?: string;
  /** What the diagnosis knows already: what was deleted, other tables, neighbours. */
  readonly known: readonly GatewayEvidence[];
}

/** The gateway of a host, as far as it can be known. */
export interface FoundGateway {
  /** The best that is known for certain and answers; absent when there is none. */
  readonly chosen?: GatewayEvidence & { readonly device: string };
  /** Everything that was found, best first. */
  readonly evidence: readonly GatewayEvidence[];
  readonly checks: readonly RepairCheck[];
  /** What was looked at in vain. */
  readonly lookedAt: string;
}

/**
 * Configuration before leases: it says what is meant. The router itself counts as well, but comes last: whoever asks all routers of a link
 * waits for two seconds when none answers, in which clients fail.
 */
const SOURCES: readonly (readonly GatewaySource[])[] = [
  [netplan, networkd, networkManager, ifupdown, leases],
  [routers],
];

/** The gateways that the configuration itself names, whatever the state of the interface. @throws HostError */
export async function configuredGateways(question: GatewayQuestion): Promise<readonly GatewayEvidence[]> {
  const found = await Promise.all([netplan, networkd, networkManager, ifupdown].map((source) => source(question)));
  return found.flat();
}

/** Looks for the default gateway that a host should have, and tries whether it answers. @throws HostError */
export async function findGateway(host: Host, { family, device, known }: GatewayWish): Promise<FoundGateway> {
  const all = await readDevices(host);
  const devices = (device === undefined ? all : all.filter(({ name }) => name === device)).filter(({ isUp }) => isUp);
  const configuration = new Configuration(host);
  const evidence = [...known];
  const checks: RepairCheck[] = [];
  const tried = new Set<string>();
  for (const sources of SOURCES) {
    const found = await Promise.all(sources.map((source) => source({ host, configuration, family, devices })));
    evidence.push(...found.flat());
    evidence.sort((a, b) => Number(a.strength === 'hint') - Number(b.strength === 'hint'));
    for (const one of evidence.filter(({ strength }) => strength === 'known')) {
      const placed = placeOf(one, devices);
      if (tried.has(one.gateway)) continue;
      tried.add(one.gateway);
      const check = placed === undefined ? offLink(one) : await gatewayAnswers(host, one.gateway, placed.name);
      checks.push(check);
      if (check.ok && placed !== undefined)
        return { chosen: { ...one, device: placed.name }, evidence, checks, lookedAt: lookedAt(family) };
    }
  }
  return { evidence, checks, lookedAt: lookedAt(family) };
}

/** Checks a gateway that a person names. @throws HostError */
export async function checkGateway(
  host: Host,
  gateway: string,
  device: string | undefined,
): Promise<{ readonly device?: string; readonly checks: readonly RepairCheck[] }> {
  const devices = (await readDevices(host)).filter(
    ({ isUp, name }) => isUp && (device === undefined || name === device),
  );
  const evidence: GatewayEvidence = {
    gateway,
    ...(device === undefined ? {} : { device }),
    strength: 'known',
    statement: 'you named it',
    source: '--gateway',
  };
  const placed = placeOf(evidence, devices);
  if (placed === undefined) return { checks: [offLink(evidence)] };
  return { device: placed.name, checks: [await gatewayAnswers(host, gateway, placed.name)] };
}

function placeOf({ gateway, device }: GatewayEvidence, devices: readonly GatewayDevice[]): GatewayDevice | undefined {
  const fitting = devices.filter((one) => (device === undefined || one.name === device) && isOnLink(one, gateway));
  // A link-local address is on every link: only a device can tell.
  return fitting.length === 1 || !/^fe[89ab]/i.test(gateway) ? fitting[0] : undefined;
}

function offLink({ gateway, device }: GatewayEvidence): RepairCheck {
  return {
    ok: false,
    statement: `${gateway} is on the link of ${device ?? 'no interface that is up'}${device === undefined ? '' : ' by no address that it has'}`,
  };
}

function lookedAt(family: 4 | 6): string {
  const tail = family === 4 ? 'DHCP leases' : 'router advertisements and the routers on the link';
  return `the history of routes, netplan, systemd-networkd, NetworkManager, ifupdown, ${tail}`;
}
