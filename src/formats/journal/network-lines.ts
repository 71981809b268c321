/** One message about a link, an address or a lease in the system's journal. */
export interface NetworkLine {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly what: 'link-up' | 'link-down' | 'address-added' | 'address-deleted' | 'other';
  /** Who said what, for example `systemd-networkd: eth0: Lost carrier`. */
  readonly text: string;
}

/** At most so many are kept: the latest. */
const MAX_LINES = 200;

/**
 * What messages say, by their words: of systemd-networkd (src/network/networkd-link.c, networkd-dhcp4.c), of NetworkManager
 * (src/core/devices/nm-device.c), and of the kernel.
 */
const MEANINGS: readonly (readonly [what: NetworkLine['what'], pattern: RegExp])[] = [
  ['link-down', /\bLost carrier\b|\bLink DOWN\b|\blink disconnected\b|\b(NIC )?[Ll]ink is (Down|down)\b/],
  ['link-up', /\bGained carrier\b|\bLink UP\b|\blink connected\b|\b(NIC )?[Ll]ink is (Up|up)\b|\blink becomes ready\b/],
  ['link-down', /\bentered disabled state\b/],
  ['link-up', /\bentered forwarding state\b/],
  ['address-deleted', /\bDHCP(v4)? lease lost\b|\bDHCP(v4)? lease (has )?expired\b|state changed \S+ -> expire/],
  ['address-added', /\bDHCPv[46] address \S+|dhcp[46] \(\S+\): +address \S+/],
  [
    'other',
    /state change: activated -> |\bReconfiguring\b|\bConfiguring with \S+\.network\b|\bInterface name change detected\b/,
  ],
];

/** Programs whose messages are looked at. */
const SOURCES = /^(kernel|systemd-networkd|NetworkManager|dhclient|dhcpcd|ifup|ifdown)$/;

/** Parses `journalctl -o short-unix`: `1700000000.123456 host program[123]: text`. Lines that say nothing of links or leases are left out. */
export function parseNetworkJournal(output: string): readonly NetworkLine[] {
  const lines = output.split('\n').flatMap((line): NetworkLine[] => {
    const match = /^(\d{9,11}(?:\.\d{1,6})?) \S+ ([\w.-]+)(?:\[\d+\])?: (.*)$/.exec(line);
    if (match === null || !SOURCES.test(match[2]!)) return [];
    const [, seconds, program, message = ''] = match;
    const meaning = MEANINGS.find(([, pattern]) => pattern.test(message));
    if (meaning === undefined) return [];
    return [{ timeMs: Number(seconds) * 1000, what: meaning[0], text: `${program}: ${message}`.slice(0, 400) }];
  });
  return lines.slice(-MAX_LINES);
}
