import { inNamespace, must } from './exec.ts';
import { type LabAddresses, namespaceOf, prefixLength } from './plan-names.ts';

/** Makes client ── router ── server, with both families, everything up and nothing wrong. @throws LabError */
export async function buildTopology(addresses: LabAddresses): Promise<void> {
  const { run, devices, macs } = addresses;
  const [client, router, server] = [
    namespaceOf(run, 'client'),
    namespaceOf(run, 'router'),
    namespaceOf(run, 'server'),
  ] as const;
  const veth = (name: string, netns: string, mac: string, peer: string, peerMac: string): string =>
    `link add ${name} netns ${netns} address ${mac} type veth peer name ${peer} netns ${router} address ${peerMac}`;
  await batch([
    `netns add ${client}`,
    `netns add ${router}`,
    `netns add ${server}`,
    veth(devices.client, client, macs.client, devices.routerClient, macs.routerClient),
    veth(devices.server, server, macs.server, devices.routerServer, macs.routerServer),
  ]);
  await Promise.all([
    setUp(client, [devices.client], {
      'net.ipv4.ip_forward': 0,
      'net.ipv4.tcp_syn_retries': addresses.synRetries,
      'net.ipv4.tcp_syn_linear_timeouts': 0,
    }),
    setUp(router, [devices.routerClient, devices.routerServer], {
      'net.ipv4.ip_forward': 1,
      'net.ipv6.conf.all.forwarding': 1,
    }),
    setUp(server, [devices.server], { 'net.ipv4.ip_forward': 0 }),
  ]);
  const { 4: v4, 6: v6 } = addresses.links;
  await Promise.all([
    batch(hostLines(devices.client, v4.client, v6.client), client),
    batch(
      [
        ...deviceLines(devices.routerClient, [
          [v4.client.router, v4.client.prefix],
          [v6.client.router, v6.client.prefix],
        ]),
        ...deviceLines(devices.routerServer, [
          [v4.server.router, v4.server.prefix],
          [v6.server.router, v6.server.prefix],
        ]),
      ],
      router,
    ),
    batch(hostLines(devices.server, v4.server, v6.server), server),
  ]);
}

/** A further namespace on a port of the router of its own; the router sends what is for `address` there. */
export async function attachNamespace(run: string, name: string, address: string): Promise<void> {
  const namespace = `${run}-${name}`;
  const router = namespaceOf(run, 'router');
  const [host = '', length = host.includes(':') ? '128' : '32'] = address.split('/');
  const family = host.includes(':') ? 6 : 4;
  const port = `to-${name}`.slice(0, 15);
  await batch([
    `netns add ${namespace}`,
    `link add eth0 netns ${namespace} type veth peer name ${port} netns ${router}`,
  ]);
  await Promise.all([setUp(namespace, ['eth0'], {}), setUp(router, [port], {})]);
  // Both families use a link-local gateway (RFC 5549 for IPv4): the port needs no addresses of its own.
  await Promise.all([
    batch(
      [
        ...deviceLines('eth0', [[host, `/${length}`]]),
        family === 6 ? 'route replace ::/0 via fe80::1 dev eth0' : 'route replace 0.0.0.0/0 via inet6 fe80::1 dev eth0',
      ],
      namespace,
    ),
    batch([...deviceLines(port, [['fe80::1', '/64']]), `route replace ${host} dev ${port}`], router),
  ]);
}

/** Runs lines of `ip -batch`, in a namespace or outside. */
async function batch(lines: readonly string[], namespace?: string): Promise<void> {
  await must(['ip', ...(namespace === undefined ? [] : ['-n', namespace]), '-batch', '-'], `${lines.join('\n')}\n`);
}

/** Gives a namespace the sysctls that make it quick and independent of the machine's own settings. */
async function setUp(
  namespace: string,
  devices: readonly string[],
  extra: Readonly<Record<string, string | number>>,
): Promise<void> {
  const names = ['all', 'default', 'lo', ...devices];
  const settings = {
    // Devices take the machine's IPv4 settings, which may be anything.
    ...Object.fromEntries(names.map((name) => [`net.ipv4.conf.${name}.rp_filter`, 0])),
    // Without duplicate address detection and router solicitation a link works at once, and is quiet.
    ...Object.fromEntries(names.map((name) => [`net.ipv6.conf.${name}.disable_ipv6`, 0])),
    ...Object.fromEntries(names.map((name) => [`net.ipv6.conf.${name}.accept_dad`, 0])),
    ...Object.fromEntries(names.map((name) => [`net.ipv6.conf.${name}.router_solicitations`, 0])),
    ...extra,
  };
  const words = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  // -e: tcp_syn_linear_timeouts is of Linux 6.5.
  await must(inNamespace(namespace, ['sysctl', '-q', '-e', '-w', ...words]));
}

function hostLines(
  device: string,
  v4: { readonly host: string; readonly router: string; readonly prefix: string },
  v6: { readonly host: string; readonly router: string; readonly prefix: string },
): string[] {
  return [
    ...deviceLines(device, [
      [v4.host, v4.prefix],
      [v6.host, v6.prefix],
    ]),
    `route add default via ${v4.router} dev ${device}`,
    `route add default via ${v6.router} dev ${device}`,
  ];
}

function deviceLines(device: string, addresses: readonly (readonly [host: string, prefix: string])[]): string[] {
  return [
    'link set lo up',
    `link set ${device} up`,
    ...addresses.map(([host, prefix]) =>
      host.includes(':')
        ? `address add ${host}/${prefixLength(prefix)} dev ${device} nodad`
        : `address add ${host}/${prefixLength(prefix)} dev ${device}`,
    ),
  ];
}
