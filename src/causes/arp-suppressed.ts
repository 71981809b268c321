import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Link, LinkAddress } from '../model/facts/links.ts';
import type { LabNames, LabStep } from '../model/scenario.ts';
import { formatQuantity } from '../model/text.ts';
import { addressesMeant, askedInVain } from './shared-asked-in-vain.ts';
import { EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';

const DEVICE: Link = {
  index: 2,
  name: 'eth0',
  flags: ['BROADCAST', 'UP', 'LOWER_UP'],
  operState: 'UP',
  xdp: [],
  counters: {},
  growth: {},
};
const OWN: LinkAddress = {
  family: 4,
  address: EXAMPLE_ATTEMPT_V4.server.address,
  prefixLength: 24,
  device: 'eth0',
  scope: 'global',
  flags: [],
};
const UNSEEN: Attempt = { ...EXAMPLE_ATTEMPT_V4, syns: 0, sightings: [] };
const ASKED = [
  { device: 'eth0', target: OWN.address, direction: 'in', requests: 3, replies: 0, answeredBy: [] },
] as const;

export const cause: Cause = defineCause({
  id: 'arp-suppressed',
  title: 'The server does not answer ARP requests for its address',
  place: 'server',
  step: 'server-link',
  sides: ['server'],
  needs: ['attempt', 'addresses', 'links', 'sysctls'],
  wants: ['neighbourActivity'],
  assess({ attempt, addresses, links, sysctls, neighbourActivity }) {
    if (attempt.side !== 'server' || attempt.synAcks > 0) return [];
    const meant = addressesMeant(attempt, addresses, 4).filter(({ family }) => family === 4);
    if (meant.length === 0) return [];
    if (attempt.syns > 0) {
      return [contradicts('conclusive', 'attempt', 'the SYN did arrive, so a neighbour knows the MAC')];
    }
    const asked = askedInVain(
      neighbourActivity,
      meant.map(({ address }) => address),
    );
    const own = meant.find(({ address }) => address === asked?.target) ?? meant[0];
    const device = asked?.device ?? attempt.inDevice ?? own?.device;
    const why = own === undefined ? undefined : silence(own, device, links, sysctls);
    if (asked === undefined) {
      // What would keep it from answering may be meant so: the address of a load balancer is not to be answered.
      return why === undefined || own?.device === 'lo' ? [] : [supports('weak', why.from, why.text)];
    }
    const requests = `${formatQuantity(asked.requests, 'ARP request')} for ${asked.target} came in${device === undefined ? '' : ` on ${device}`}, and this host answered none`;
    const evidence: CauseEvidence[] = [
      supports(why === undefined ? 'moderate' : 'conclusive', 'neighbourActivity', requests),
    ];
    if (why !== undefined) evidence.push(supports('strong', why.from, why.text));
    return evidence;
  },
  sentence({ attempt, addresses, links, sysctls, neighbourActivity }) {
    const meant = addressesMeant(attempt, addresses, 4);
    const asked = askedInVain(
      neighbourActivity,
      meant.map(({ address }) => address),
    );
    const own = meant.find(({ address }) => address === asked?.target) ?? meant[0];
    const device = asked?.device ?? attempt.inDevice ?? own?.device;
    const why = own === undefined ? undefined : silence(own, device, links, sysctls)?.text;
    const because = why === undefined ? '' : `: ${why}`;
    return `The server does not answer ARP requests for ${asked?.target ?? attempt.server.address}${because}`;
  },
  remedies({ attempt, addresses, links, sysctls, neighbourActivity }) {
    const meant = addressesMeant(attempt, addresses, 4);
    const asked = askedInVain(
      neighbourActivity,
      meant.map(({ address }) => address),
    );
    const own = meant.find(({ address }) => address === asked?.target) ?? meant[0];
    const device = asked?.device ?? attempt.inDevice ?? own?.device;
    const why = own === undefined ? undefined : silence(own, device, links, sysctls);
    if (device === undefined || why === undefined) return [];
    return [
      why.key === undefined
        ? {
            id: 'arp-on',
            title: `Let ${device} speak ARP again`,
            risk: 'medium',
            auto: 'never',
            changes: [{ kind: 'link', device, setting: ['arp', 'on'] }],
          }
        : {
            id: 'answer-arp',
            title:
              'Let this host answer ARP for the address (not for the virtual address of a load balancer: LVS needs the silence)',
            risk: 'medium',
            auto: 'never',
            changes: [{ kind: 'sysctl', key: why.key, value: '0' }],
          },
    ];
  },
  explanation: `
Before the last router can deliver a packet it asks for the server's MAC. A server that does not answer is unreachable although it is up: its interface has ARP switched off
(\`NOARP\`), \`arp_ignore\` forbids to answer for addresses of other interfaces (the usual setting for a virtual address on \`lo\` behind LVS in direct routing mode),
\`arp_filter\` finds that the way back leaves elsewhere, or a rule of arptables drops requests.

The router gives up after three requests and tells the client "host unreachable" (about three seconds). No SYN arrives; the capture of the server shows the requests.

Be sure: requests for the address come in and no reply leaves, and \`ip link\` shows NOARP or \`sysctl net.ipv4.conf.DEVICE.arp_ignore\` (the larger of \`all\` and the interface)
forbids the reply: 1 only for addresses of that interface, 2 also only from its own subnet, 3 not for addresses of scope host, 8 never.

Linux 6.18: \`arp_process()\`, \`arp_ignore()\`, \`arp_filter()\`; no counter and no drop event tells of it.
`,
  confusedWith: [
    { id: 'router-neighbour-unresolved', toldApartBy: 'the same, seen from the router; this says why' },
    { id: 'wrong-mac', toldApartBy: 'there the router sends to a MAC that it believes in' },
    { id: 'not-my-address', toldApartBy: 'there the address is not on this host' },
  ],
  scenario: {
    families: [4],
    variants: ['arp-ignore'],
    plan: (names, variant) => ({
      ...(variant === 'arp-ignore' ? virtualAddress(names) : {}),
      steps: [
        // The router gives up after three seconds: the client must wait for that.
        { on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } },
        ...(variant === 'arp-ignore' ? virtualAddress(names).steps : arpOff(names)),
      ],
      // The client can see that the last router finds nobody, not why.
      expect: { client: ['router-neighbour-unresolved'] },
    }),
  },
  examples: [
    {
      name: 'the interface does not speak ARP',
      given: {
        attempt: UNSEEN,
        addresses: [OWN],
        links: [{ ...DEVICE, flags: [...DEVICE.flags, 'NOARP'] }],
        sysctls: {},
        neighbourActivity: ASKED,
      },
      expect: 'confirmed',
    },
    {
      name: 'arp_ignore, and the address is on lo',
      given: {
        attempt: UNSEEN,
        addresses: [{ ...OWN, device: 'lo', prefixLength: 32 }],
        links: [DEVICE],
        sysctls: { 'net.ipv4.conf.all.arp_ignore': '1', 'net.ipv4.conf.eth0.arp_ignore': '0' },
        neighbourActivity: ASKED,
      },
      expect: 'confirmed',
    },
    {
      name: 'not answered, and nothing here forbids it',
      given: {
        attempt: UNSEEN,
        addresses: [OWN],
        links: [DEVICE],
        sysctls: { 'net.ipv4.conf.all.arp_ignore': '1', 'net.ipv4.conf.eth0.arp_ignore': '0' },
        neighbourActivity: ASKED,
      },
      expect: 'possible',
    },
    {
      name: 'the SYN arrived',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        addresses: [OWN],
        links: [{ ...DEVICE, flags: [...DEVICE.flags, 'NOARP'] }],
        sysctls: {},
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/ip-sysctl.html', 'net/ipv4/arp.c: arp_process(), arp_ignore()'],
});

interface Silence {
  readonly text: string;
  readonly from: 'links' | 'sysctls';
  /** The sysctl that does it; absent when it is the link itself. */
  readonly key?: string;
}

/** Why this host does not answer ARP for an address of its own on that interface; undefined when nothing that was read forbids it. */
function silence(
  own: LinkAddress,
  device: string | undefined,
  links: readonly Link[],
  sysctls: Readonly<Record<string, string>>,
): Silence | undefined {
  const link = links.find(({ name }) => name === device);
  if (link?.flags.includes('NOARP') && link.name !== 'lo') {
    return { text: `${link.name} has ARP switched off (NOARP)`, from: 'links' };
  }
  const names = ['all', ...(device === undefined ? [] : [device])].map((name) => `net.ipv4.conf.${name}.arp_ignore`);
  const [key] = names.toSorted((a, b) => (sysctlNumber(sysctls, b) ?? 0) - (sysctlNumber(sysctls, a) ?? 0));
  const mode = key === undefined ? 0 : (sysctlNumber(sysctls, key) ?? 0);
  // Modes 1 and 2 answer for addresses of the interface itself; 3 refuses those of scope host; 8 refuses all.
  const refuses =
    mode === 8 || ((mode === 1 || mode === 2) && own.device !== device) || (mode === 3 && own.scope === 'host');
  if (!refuses || key === undefined) return undefined;
  return { text: `${key}=${mode}, and ${own.address} is on ${own.device}`, from: 'sysctls', key };
}

function arpOff({ serverDevice, ip }: LabNames): LabStep[] {
  return [
    { on: 'server', run: ['ip', 'link', 'set', 'dev', serverDevice, 'arp', 'off'] },
    { on: 'router', run: [...ip, 'neigh', 'flush', 'all'] },
  ];
}

/** An address on lo that is not answered, as real servers behind a load balancer have it. */
function virtualAddress({ elsewhere, ip, routerServerDevice }: LabNames): {
  steps: LabStep[];
  attempt: { address: string };
} {
  return {
    steps: [
      { on: 'server', sysctl: { 'net.ipv4.conf.all.arp_ignore': 1 } },
      { on: 'server', run: [...ip, 'addr', 'add', `${elsewhere}/32`, 'dev', 'lo'] },
      { on: 'router', run: [...ip, 'route', 'add', `${elsewhere}/32`, 'dev', routerServerDevice] },
    ],
    attempt: { address: elsewhere },
  };
}
