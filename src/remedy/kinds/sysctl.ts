import { type Host, HostError } from '../../host/host.ts';
import { changeCommands, sysctlPath } from '../../model/change-commands.ts';
import { cannot, defineKind, type Kind } from './kind.ts';

/** Settings that let in or let through what they kept out before, and what that is. */
const POLICY: readonly (readonly [key: RegExp, what: string])[] = [
  [/\.rp_filter$/, 'packets with a source to which no way leads back through the same interface'],
  [/\.disable_ipv6$/, 'all of IPv6, which somebody may have switched off on purpose'],
  [/\.accept_local$/, 'packets from the network that bear an address of this host'],
  [/\.tcp_l3mdev_accept$/, 'connections of every VRF to services of the default one'],
  [/\.nf_conntrack_tcp_be_liberal$/, 'packets that are out of the window of their connection'],
  [/\.accept_ra$/, 'router advertisements of whoever is on the link'],
  [/\.arp_ignore$/, 'ARP requests for addresses that this interface did not answer for'],
];

/** Settings that mean less when they are smaller, and are not refused so. */
const STRICTER_IF_LARGER: RegExp = /\.rp_filter$/;

/** A setting of the kernel (sysctl.conf(5)), of the network namespace where it has one. */
export const sysctl: Kind = defineKind<'sysctl'>({
  kind: 'sysctl',
  async prepare(host, change) {
    const { key, value } = change;
    const before = await readSysctl(host, key);
    const isSame = normal(before) === normal(value);
    if (!isSame) await refuseIfReadOnly(host, key);
    const [command = []] = changeCommands(change);
    const [back = []] = changeCommands({ ...change, value: normal(before) });
    const policy = isSame ? undefined : POLICY.find(([pattern]) => pattern.test(key));
    const isStricter = STRICTER_IF_LARGER.test(key) && Number(before) === 0;
    return {
      change,
      text: `set ${key} to ${value} (it is ${normal(before)})`,
      do: command,
      undo: [back],
      before: normal(before),
      dangers: dangersOf(key),
      ...(isSame ? { alreadySo: true as const } : {}),
      ...(policy === undefined || isStricter ? {} : { policy: `it lets in ${policy[1]}` }),
    };
  },
  read: async (host, { key }) => normal(await readSysctl(host, key)),
});

/** Root can write every setting but those that are not its network namespace's own; others are told that they are not root. */
const IS_WRITABLE = '[ "$(id -u)" != 0 ] || [ -w "$1" ]';

/** @throws HostError when even root can only read the setting here. */
async function refuseIfReadOnly(host: Host, key: string): Promise<void> {
  const { exitCode } = await host.run(['sh', '-c', IS_WRITABLE, 'sh', `/proc/sys/${sysctlPath(key)}`]);
  if (exitCode === 0) return;
  throw cannot(
    `${key} can only be read here: one value counts for the whole machine, and this is a network namespace or a container of it`,
    'set it on the machine itself',
  );
}

/** Value of a setting as the kernel prints it. @throws HostError */
async function readSysctl(host: Host, key: string): Promise<string> {
  const path = `/proc/sys/${sysctlPath(key)}`;
  if (!/^[\w./-]+$/.test(path) || path.includes('..')) throw cannot(`"${key}" is no setting of the kernel`);
  try {
    return await host.readFile(path);
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'not-found') throw error;
    throw new HostError('not-found', `this kernel has no ${key}: a module is not loaded, or the version lacks it`, {
      cause: error,
    });
  }
}

/** Several values of one setting stand apart by tabs or spaces. */
function normal(value: string): string {
  return value.trim().split(/\s+/).join(' ');
}

function dangersOf(key: string): string[] {
  if (/disable_ipv6$/.test(key)) return ['Undoing it removes every IPv6 address and route of the interface'];
  if (/nf_conntrack_max$/.test(key)) return ['Each entry takes about 320 bytes of kernel memory'];
  if (/ip_local_port_range$/.test(key)) {
    return [
      'Programs that listen above 1023 may find their port taken; net.ipv4.ip_local_reserved_ports keeps ports free',
    ];
  }
  return [];
}
