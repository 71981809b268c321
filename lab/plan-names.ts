import { randomInt } from 'node:crypto';
import process from 'node:process';
import type { LabNames, LabNode } from '../src/model/scenario.ts';
import { type Random, seededRandom } from './random.ts';

/** The name of the server in the hosts file of every client. */
export const SERVER_NAME = 'synscope-lab.test';

/** The end of the name of each node's namespace. */
const SUFFIX: Readonly<Record<LabNode, string>> = { client: 'c', router: 'r', server: 's' };

/** Name of the namespace of a node. */
export function namespaceOf(run: string, node: LabNode): string {
  return `${run}-${SUFFIX[node]}`;
}

/** One link of the lab in one family: the host on it, the router on it, and addresses that nobody has. */
export interface LabLink {
  readonly host: string;
  readonly router: string;
  readonly unused: string;
  /** As `unused`, but no scenario knows of them. */
  readonly spare: string;
  readonly second: string;
  readonly prefix: string;
}

/** Everything that differs from run to run. */
export interface LabAddresses {
  /** Begins the names of namespaces and cgroups of this run. */
  readonly run: string;
  readonly seed: number;
  readonly port: number;
  readonly devices: {
    readonly client: string;
    readonly server: string;
    readonly routerClient: string;
    readonly routerServer: string;
  };
  readonly macs: {
    readonly client: string;
    readonly server: string;
    readonly routerClient: string;
    readonly routerServer: string;
  };
  readonly links: { readonly [F in 4 | 6]: { readonly client: LabLink; readonly server: LabLink } };
  readonly elsewhere: { readonly [F in 4 | 6]: { readonly address: string; readonly prefix: string } };
  /** net.ipv4.tcp_syn_retries of the client: with 1 a connect in vain takes 3 s, with 2 it takes 7 s. */
  readonly synRetries: number;
}

/** What the names of namespaces begin with: `ss`, the process id of the runner, `x`, something random. */
export const RUN_PATTERN: RegExp = /^ss(\d+)x[0-9a-z]{5}$/;

const HOST_DEVICES = ['eth0', 'ens3', 'ens5', 'enp1s0', 'enp0s3', 'net0'] as const;
const ROUTER_DEVICES = ['eth0', 'eth1', 'lan0', 'wan0', 'ge1', 'ge2', 'port3'] as const;

/** Draws the names and addresses of one run. The same seed draws the same; only `run` is unique. */
export function drawAddresses(seed: number): LabAddresses {
  const random = seededRandom(seed);
  const [clientNet, serverNet, farNet] = random.sample(
    Array.from({ length: 512 }, (_, index) => `198.${18 + (index >> 8)}.${index & 255}`),
    3,
  ) as [string, string, string];
  const site = random.integer(1, 0xffff).toString(16);
  const [clientSubnet, serverSubnet, farSubnet] = random.sample(
    Array.from({ length: 0xfff }, (_, index) => `2001:db8:${site}:${(index + 1).toString(16)}`),
    3,
  ) as [string, string, string];
  const [routerClient, routerServer] = random.sample(ROUTER_DEVICES, 2) as [string, string];
  return {
    // Not of the seed: the same seed may run twice at a time.
    run: `ss${process.pid}x${randomInt(36 ** 5)
      .toString(36)
      .padStart(5, '0')}`,
    seed,
    port: random.integer(1024, 32_767),
    devices: { client: random.pick(HOST_DEVICES), server: random.pick(HOST_DEVICES), routerClient, routerServer },
    macs: {
      client: drawMac(random),
      server: drawMac(random),
      routerClient: drawMac(random),
      routerServer: drawMac(random),
    },
    links: {
      4: { client: drawLink4(random, clientNet), server: drawLink4(random, serverNet) },
      6: { client: drawLink6(random, clientSubnet), server: drawLink6(random, serverSubnet) },
    },
    elsewhere: {
      4: { address: `${farNet}.${random.integer(1, 254)}`, prefix: `${farNet}.0/24` },
      6: { address: `${farSubnet}::${random.integer(1, 0xffff).toString(16)}`, prefix: `${farSubnet}::/64` },
    },
    synRetries: random.chance(25) ? 2 : 1,
  };
}

/** The names that a scenario is given. */
export function namesFor(addresses: LabAddresses, family: 4 | 6): LabNames {
  const { client, server } = addresses.links[family];
  const { devices, elsewhere, port, run } = addresses;
  return {
    family,
    port,
    client: client.host,
    server: server.host,
    clientGateway: client.router,
    serverGateway: server.router,
    clientPrefix: client.prefix,
    serverPrefix: server.prefix,
    clientDevice: devices.client,
    serverDevice: devices.server,
    routerClientDevice: devices.routerClient,
    routerServerDevice: devices.routerServer,
    unusedOnServerLink: server.unused,
    unusedOnClientLink: client.unused,
    elsewhere: elsewhere[family].address,
    elsewherePrefix: elsewhere[family].prefix,
    ip: ['ip', `-${family}`],
    nftFamily: family === 4 ? 'ip' : 'ip6',
    iptables: family === 4 ? 'iptables' : 'ip6tables',
    namespaces: {
      client: namespaceOf(run, 'client'),
      router: namespaceOf(run, 'router'),
      server: namespaceOf(run, 'server'),
    },
    unique: `synscope-lab-${run}`,
  };
}

/** The prefix length of a link. */
export function prefixLength(prefix: string): string {
  return prefix.slice(prefix.indexOf('/') + 1);
}

function drawLink4(random: Random, net: string): LabLink {
  const numbers = Array.from({ length: 253 }, (_, index) => index + 1);
  const [host, router, unused, spare, second] = random.sample(numbers, 5).map((number) => `${net}.${number}`);
  return { host: host!, router: router!, unused: unused!, spare: spare!, second: second!, prefix: `${net}.0/24` };
}

function drawLink6(random: Random, subnet: string): LabLink {
  const numbers = Array.from({ length: 0xffe }, (_, index) => index + 1);
  const [host, router, unused, spare, second] = random
    .sample(numbers, 5)
    .map((number) => `${subnet}::${number.toString(16)}`);
  return { host: host!, router: router!, unused: unused!, spare: spare!, second: second!, prefix: `${subnet}::/64` };
}

/** A locally administered unicast address (second bit of the first byte). */
function drawMac(random: Random): string {
  const rest = Array.from({ length: 5 }, () => random.integer(0, 255).toString(16).padStart(2, '0'));
  return ['02', ...rest].join(':');
}
