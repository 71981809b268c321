import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hostNames } from '../src/cli/trace-hosts.ts';
import { openHost } from '../src/host/open-host.ts';
import { namespacesMissing } from '../src/host/testing/namespaces.ts';
import type { CaptureReport, Diagnosis } from '../src/model/diagnosis.ts';
import { diagnoseTrace } from '../src/service/trace/diagnose-trace.ts';
import { runCli } from './run-cli.ts';
import { ShiftedHost } from './shifted-host.ts';
import { CLIENT, defaultRoutes, makeTraceNetwork, PORT, SERVER, type TraceNetwork } from './trace-network.ts';

const missing = namespacesMissing() ?? (spawnSync('nft', ['--version']).status === 0 ? undefined : 'needs nftables');
if (missing !== undefined) console.log(`trace is not tested on real hosts: ${missing}`);

/** How one trace in the test network is made. */
interface Asked {
  readonly family?: 4 | 6;
  readonly vias?: readonly string[];
  readonly address?: string;
  readonly attempts?: number;
  readonly serverPort?: number;
  /** The server's clock is ahead of ours by so much. */
  readonly aheadNs?: bigint;
}

describe.skipIf(missing !== undefined)('trace, both ends in network namespaces', () => {
  let net: TraceNetwork;

  beforeAll(async () => {
    net = await makeTraceNetwork('trb');
  }, 240_000);

  afterAll(async () => {
    await net.remove();
  });

  afterEach(() => {
    net.flush();
    defaultRoutes(net.client, 'client');
    defaultRoutes(net.server, 'server');
  });

  async function trace({
    family = 4,
    vias = [],
    address,
    attempts = 1,
    serverPort,
    aheadNs = 0n,
  }: Asked = {}): Promise<CaptureReport> {
    const open = (name: string): ReturnType<typeof openHost> => openHost(`netns:${name}`);
    const [client, server, ...routers] = await Promise.all([open(net.client), open(net.server), ...vias.map(open)]);
    try {
      return await diagnoseTrace({
        client: { role: 'client', name: 'a', host: client! },
        server: { role: 'server', name: 'web7', host: new ShiftedHost(server!, aheadNs) },
        vias: routers.map((host, index) => ({ role: 'via', name: `fw${index + 1}`, host })),
        target: { name: address ?? SERVER[family], port: PORT },
        attempts,
        timeoutMs: 10_000,
        holdMs: 50,
        ...(serverPort === undefined ? {} : { serverPort }),
      });
    } finally {
      await Promise.all([client, server, ...routers].map((host) => host!.close()));
    }
  }

  async function diagnose(asked?: Asked): Promise<Diagnosis> {
    const { diagnoses } = await trace(asked);
    return diagnoses.find(({ cause }) => cause?.status === 'confirmed') ?? diagnoses[0]!;
  }

  it('all is well', async () => {
    const report = await trace({ attempts: 3 });
    expect(report.summary).toMatchObject({ handshakes: 3, failed: 0, outcomes: { established: 3 } });
    expect(report.headline).toMatch(/^All 3 attempts from 10\.81\.1\.2 to 10\.81\.2\.2:8081 worked/);
    expect(report.captures.map(({ name }) => name)).toEqual(['a', 'web7']);
  }, 240_000);

  it('the SYN is lost on the way: where, and with the router asked also why', async () => {
    net.nft(
      net.router,
      `table inet t { chain f { type filter hook forward priority 0; tcp dport ${PORT} counter drop; } }`,
    );
    const without = await diagnose();
    expect(without).toMatchObject({
      cause: null,
      place: 'path',
      path: { location: 'lost-before-server', confidence: 'certain', between: ['a', 'web7'] },
    });
    const asked = await diagnose({ vias: [net.router] });
    expect(asked).toMatchObject({ cause: { id: 'path-firewall-drop-syn', status: 'confirmed' }, place: 'path' });
    expect(asked.sentence).toMatch(/came to fw1 \(#\d+.* chain inet t f .* on fw1 drops the SYN from 10\.81\.1\.2/);
    expect(asked.evidence.map(({ statement }) => statement).join('\n')).toContain('its counter grew');
  }, 240_000);

  it.each([
    ['no-route', ['route', 'del', 'SERVER/24'], 'router-no-route'],
    ['blackhole', ['route', 'add', 'blackhole', 'SERVER'], 'router-reject-route'],
  ])(
    'a router without a way (%s)',
    async (_, argv, id) => {
      const words = argv.map((word) => word.replace('SERVER/24', '10.81.2.0/24').replace('SERVER', SERVER[4]));
      execFileSync('ip', ['-n', net.router, ...words]);
      try {
        const { cause, place } = await diagnose({ vias: [net.router] });
        expect({ cause, place }).toMatchObject({ cause: { id, status: 'confirmed' }, place: 'path' });
      } finally {
        spawnSync('ip', ['-n', net.router, 'route', 'del', 'blackhole', SERVER[4]]);
        spawnSync('ip', ['-n', net.router, 'route', 'replace', '10.81.2.0/24', 'dev', 'to-server', 'src', '10.81.2.1']);
      }
    },
    60_000,
  );

  it('a router that does not forward, for IPv6', async () => {
    net.in(net.router, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0');
    try {
      const { cause } = await diagnose({ family: 6, vias: [net.router] });
      expect(cause).toMatchObject({ id: 'router-forwarding-off', status: 'confirmed' });
    } finally {
      net.in(net.router, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
    }
  }, 240_000);

  it.each<[cause: string, family: 4 | 6, breakIt: () => void, undo?: () => void]>([
    ['no-return-route', 6, () => execFileSync('ip', ['-n', net.server, '-6', 'route', 'del', 'default'])],
    [
      'return-route-rejected',
      4,
      () => execFileSync('ip', ['-n', net.server, 'route', 'add', 'blackhole', CLIENT[4]]),
      () => execFileSync('ip', ['-n', net.server, 'route', 'del', 'blackhole', CLIENT[4]]),
    ],
    [
      'netfilter-drop-in',
      4,
      () =>
        net.nft(net.server, `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} drop; } }`),
    ],
    [
      'synack-output-drop',
      6,
      () =>
        net.nft(net.server, `table inet t { chain o { type filter hook output priority 0; tcp sport ${PORT} drop; } }`),
    ],
    [
      'rp-filter-strict',
      4,
      () => {
        execFileSync('ip', ['-n', net.server, 'route', 'add', `${CLIENT[4]}/32`, 'dev', 'lo']);
        net.in(net.server, 'sysctl', '-qw', 'net.ipv4.conf.eth0.rp_filter=1');
      },
      () => {
        execFileSync('ip', ['-n', net.server, 'route', 'del', `${CLIENT[4]}/32`, 'dev', 'lo']);
        net.in(net.server, 'sysctl', '-qw', 'net.ipv4.conf.eth0.rp_filter=0');
      },
    ],
  ])(
    'the server is silent: %s',
    async (id, family, breakIt, undo) => {
      breakIt();
      try {
        const { cause, path, place, sentence } = await diagnose({ family });
        expect({ cause, path, place }).toMatchObject({
          cause: { id, status: 'confirmed' },
          path: { location: 'server-silent' },
          place: 'server',
        });
        expect(sentence).toMatch(/^\d SYNs? reached web7 \(#\d+.*\) and no SYN-ACK left: /);
      } finally {
        undo?.();
      }
    },
    60_000,
  );

  it('the SYN-ACK is lost on the way back', async () => {
    net.nft(
      net.router,
      `table inet t { chain f { type filter hook forward priority 0; tcp sport ${PORT} tcp flags syn,ack / syn,ack drop; } }`,
    );
    expect(await diagnose()).toMatchObject({
      cause: { id: 'return-path-lost', status: 'confirmed' },
      path: { location: 'answer-lost', between: ['a', 'web7'] },
      place: 'path',
    });
    const asked = await diagnose({ vias: [net.router] });
    expect(asked).toMatchObject({
      cause: { status: 'confirmed' },
      path: { location: 'answer-lost', between: ['a', 'fw1'] },
      place: 'path',
    });
    expect(asked.sentence).toContain('on fw1 drops the SYN-ACK');
  }, 240_000);

  it('the final ACK is lost', async () => {
    net.nft(
      net.router,
      `table inet t { chain f { type filter hook forward priority 0; tcp dport ${PORT} tcp flags & (syn|ack) == ack drop; } }`,
    );
    expect(await diagnose({ vias: [net.router] })).toMatchObject({
      cause: { id: 'final-ack-lost', status: 'confirmed' },
      path: { location: 'final-ack-lost' },
      handshake: { outcome: 'half-open' },
    });
  }, 240_000);

  it('behind a translated source the server is asked about the address that it saw', async () => {
    net.nft(
      net.router,
      `table ip n { chain p { type nat hook postrouting priority 100; oif "to-server" snat to 10.81.2.77 } }`,
    );
    execFileSync('ip', ['-n', net.router, 'addr', 'add', '10.81.2.77/32', 'dev', 'to-server']);
    execFileSync('ip', ['-n', net.server, 'route', 'add', 'unreachable', '10.81.2.77']);
    try {
      const { cause, path } = await diagnose();
      expect({ cause, path }).toMatchObject({
        cause: { id: 'return-route-rejected', status: 'confirmed' },
        path: { location: 'server-silent', match: expect.stringContaining('source address translated') },
      });
      expect(cause?.sentence).toContain('10.81.2.77');
    } finally {
      execFileSync('ip', ['-n', net.server, 'route', 'del', 'unreachable', '10.81.2.77']);
      execFileSync('ip', ['-n', net.router, 'addr', 'del', '10.81.2.77/32', 'dev', 'to-server']);
    }
  }, 240_000);

  it('behind a translated destination the server is asked about its own address', async () => {
    net.nft(
      net.router,
      `table ip n { chain p { type nat hook prerouting priority -100; ip daddr 10.81.9.9 dnat to ${SERVER[4]} } }`,
    );
    net.nft(net.server, `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} drop; } }`);
    const { cause, path, handshake } = await diagnose({ address: '10.81.9.9' });
    expect({ cause, path, handshake }).toMatchObject({
      cause: { id: 'netfilter-drop-in', status: 'confirmed' },
      path: { location: 'server-silent', match: expect.stringContaining('destination address translated') },
      handshake: { server: { address: '10.81.9.9' } },
    });
  }, 240_000);

  it('finds the port that something translates', () => {
    net.nft(
      net.router,
      `table ip n { chain p { type nat hook prerouting priority -100; tcp dport 443 dnat to ${SERVER[4]}:${PORT} } }`,
    );
    net.nft(net.server, `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} drop; } }`);
    const { stdout, status } = runCli([
      'trace',
      `${SERVER[4]}:443`,
      '--client',
      `netns:${net.client}`,
      '--server',
      `netns:${net.server}`,
      '--attempts',
      '1',
      '--json',
    ]);
    const report = JSON.parse(stdout) as CaptureReport;
    expect(report.diagnoses[0]).toMatchObject({
      cause: { id: 'netfilter-drop-in', status: 'confirmed' },
      path: { location: 'server-silent' },
    });
    expect(report.notes).toMatchObject([
      { code: 'port-translated', statement: expect.stringContaining(`port ${PORT} on the server`) },
    ]);
    expect(status).toBe(1);
  }, 240_000);

  it.each([
    ['an hour ahead', 3_600_000_000_000n],
    ['ten minutes behind', -600_000_000_000n],
  ])(
    'the clock of the server is %s',
    async (_, aheadNs) => {
      net.nft(net.server, `table inet t { chain o { type filter hook output priority 0; tcp sport ${PORT} drop; } }`);
      expect(await diagnose({ aheadNs })).toMatchObject({
        cause: { id: 'synack-output-drop', status: 'confirmed' },
        path: { location: 'server-silent', confidence: 'certain' },
      });
      net.flush();
      net.nft(net.router, `table inet t { chain f { type filter hook forward priority 0; tcp dport ${PORT} drop; } }`);
      expect(await diagnose({ aheadNs })).toMatchObject({
        path: { location: 'lost-before-server', confidence: 'certain' },
      });
      net.flush();
      const report = await trace({ aheadNs });
      expect(report.summary.outcomes).toEqual({ established: 1 });
      const offset = report.clocks?.[0]?.offsetNs ?? 0n;
      expect(Number(offset + aheadNs) / 1e9).toBeCloseTo(0, 0);
    },
    120_000,
  );

  it('an ICMP error of the router, and one of the server', async () => {
    net.nft(
      net.router,
      `table inet t { chain f { type filter hook forward priority 0; tcp dport ${PORT} reject with icmpx admin-prohibited } }`,
    );
    expect(await diagnose({ vias: [net.router] })).toMatchObject({
      cause: { id: 'path-firewall-reject', status: 'confirmed' },
      path: { location: 'icmp-from-router' },
      place: 'path',
    });
    net.flush();
    net.nft(
      net.server,
      `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} reject with icmpx port-unreachable } }`,
    );
    expect(await diagnose({ vias: [net.router] })).toMatchObject({
      cause: { id: 'netfilter-reject-in', status: 'confirmed' },
      path: { location: 'icmp-from-server' },
      place: 'server',
    });
  }, 240_000);

  it('a RST of the router is not the server’s, and one of the server is', async () => {
    net.nft(
      net.router,
      `table inet t { chain f { type filter hook forward priority 0; tcp dport ${PORT} reject with tcp reset } }`,
    );
    expect(await diagnose()).toMatchObject({
      path: { location: 'refused-by-middlebox', between: ['a', 'web7'] },
      place: 'path',
    });
    expect(await diagnose({ vias: [net.router] })).toMatchObject({
      cause: { id: 'path-firewall-reject', status: 'confirmed' },
      path: { location: 'refused-by-middlebox' },
    });
    net.flush();
    net.nft(
      net.server,
      `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} reject with tcp reset } }`,
    );
    expect(await diagnose()).toMatchObject({
      cause: { id: 'netfilter-reject-in', status: 'confirmed' },
      path: { location: 'refused-by-server' },
    });
  }, 240_000);

  it('an asymmetric path: answers go back through another router, which is asked', async () => {
    const second = `trb-x-${process.pid}`;
    const ip = (...argv: string[]): unknown => execFileSync('ip', argv);
    ip('netns', 'add', second);
    try {
      for (const [namespace, device, far, own, other] of [
        [net.client, 'eth1', 'to-client', '10.81.3.2', '10.81.3.1'],
        [net.server, 'eth1', 'to-server', '10.81.4.2', '10.81.4.1'],
      ] as const) {
        ip('-n', namespace, 'link', 'add', device, 'type', 'veth', 'peer', 'name', far, 'netns', second);
        ip('-n', namespace, 'addr', 'add', `${own}/24`, 'dev', device);
        ip('-n', second, 'addr', 'add', `${other}/24`, 'dev', far);
        ip('-n', namespace, 'link', 'set', device, 'up');
        ip('-n', second, 'link', 'set', far, 'up');
        net.in(namespace, 'sysctl', '-qw', `net.ipv4.conf.${device}.rp_filter=0`);
        net.in(second, 'sysctl', '-qw', `net.ipv4.conf.${far}.rp_filter=0`);
      }
      net.in(second, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0');
      ip('-n', net.server, 'route', 'replace', 'default', 'via', '10.81.4.1', 'dev', 'eth1');
      ip('-n', second, 'route', 'add', CLIENT[4], 'via', '10.81.3.2');
      const vias = [net.router, second];
      expect((await trace({ vias })).summary).toMatchObject({ failed: 0, outcomes: { established: 1 } });
      net.nft(
        second,
        `table inet t { chain f { type filter hook forward priority 0; ct state invalid drop; tcp sport ${PORT} drop; } }`,
      );
      const { cause, path, sentence, place } = await diagnose({ vias });
      expect({ cause, path, place }).toMatchObject({
        cause: { status: 'confirmed' },
        path: { location: 'answer-lost' },
        place: 'path',
      });
      expect(sentence).toContain('on fw2 drops the SYN-ACK');
    } finally {
      spawnSync('ip', ['netns', 'del', second]);
    }
  }, 240_000);

  it('nothing leaves the client: the client alone knows why', async () => {
    net.nft(net.client, `table inet t { chain o { type filter hook output priority 0; tcp dport ${PORT} drop; } }`);
    expect(await diagnose()).toMatchObject({
      cause: { id: 'client-output-drop', status: 'confirmed' },
      place: 'client',
    });
  }, 240_000);

  it('the client does not take the answer', async () => {
    net.nft(net.client, `table inet t { chain i { type filter hook input priority 0; tcp sport ${PORT} drop; } }`);
    expect(await diagnose()).toMatchObject({
      cause: { id: 'client-input-drop', status: 'confirmed' },
      path: { location: 'client-rejected-answer' },
      place: 'client',
    });
  }, 240_000);

  it('tells what it found also when the disk is full, and leaves no half of a folder', ({ skip }) => {
    const disk = mkdtempSync(join(tmpdir(), 'synscope-trace-'));
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk]).status !== 0)
      skip('needs to mount a tmpfs');
    try {
      net.nft(net.server, `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} drop; } }`);
      const ends = ['--client', `netns:${net.client}`, '--server', `netns:${net.server}`, '--attempts', '1'];
      const { status, stdout, stderr } = runCli([
        'trace',
        `${SERVER[4]}:${PORT}`,
        ...ends,
        '--pcap',
        join(disk, 'case'),
      ]);
      expect(stdout).toMatch(/no\s+SYN-ACK\s+left/);
      expect(stderr).toMatch(
        /^synscope: \S+\/case\/(client|server)\.\w+ cannot be written: no space left on device\.\n$/,
      );
      expect({ status, left: readdirSync(disk) }).toEqual({ status: 2, left: [] });
    } finally {
      spawnSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
  }, 240_000);

  it('keeps a trace in a folder, which gives the same diagnosis anywhere', () => {
    net.nft(net.server, `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} drop; } }`);
    const folder = mkdtempSync(join(tmpdir(), 'synscope-trace-'));
    const kept = join(folder, 'case');
    try {
      const ends = [
        '--client',
        `netns:${net.client}`,
        '--server',
        `netns:${net.server}`,
        '--via',
        `netns:${net.router}`,
      ];
      const live = runCli(['trace', `${SERVER[4]}:${PORT}`, ...ends, '--attempts', '1', '--pcap', kept, '--json']);
      expect(readdirSync(kept).sort()).toEqual([
        'client.pcap',
        'client.syn',
        'server.pcap',
        'server.syn',
        'trace.json',
        'via-1.pcap',
        'via-1.syn',
      ]);
      expect(readdirSync(folder)).toEqual(['case']);
      const again = runCli(['trace', '--from', kept, '--json']);
      const [was, is] = [live, again].map(({ stdout }) => JSON.parse(stdout) as CaptureReport) as [
        CaptureReport,
        CaptureReport,
      ];
      // A host is asked more than once; a recording answers with what was true in the end.
      expect(is.headline.replace(/:.*/, '')).toBe(was.headline.replace(/:.*/, ''));
      expect(is.diagnoses[0]).toMatchObject({
        cause: { id: was.diagnoses[0]?.cause?.id, status: 'confirmed' },
        path: was.diagnoses[0]?.path,
        place: 'server',
      });
      expect([live.status, again.status]).toEqual([1, 1]);
      const compared = runCli(['compare', join(kept, 'client.pcap'), join(kept, 'server.pcap')]);
      expect(compared.stdout).toMatch(/stayed\s+silent/);
      expect(runCli(['trace', `${SERVER[4]}:${PORT}`, ...ends, '--pcap', kept])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('is there already'),
      });
      writeFileSync(
        join(kept, 'trace.json'),
        readFileSync(join(kept, 'trace.json'), 'utf8').replace('server.syn', '../../etc/passwd'),
      );
      expect(runCli(['trace', '--from', kept])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('outside of its folder'),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 240_000);
});

it('names hosts shortly, and each differently', () => {
  const named = (...specs: [role: 'client' | 'via' | 'server', spec: string][]): string[] =>
    hostNames(specs.map(([role, spec]) => ({ role, spec })));
  expect(named(['client', 'local'], ['via', 'ssh:root@fw1:2222'], ['server', 'ssh:web7'])).toEqual([
    'client',
    'fw1',
    'web7',
  ]);
  expect(named(['client', 'netns:a'], ['server', 'netns:b'])).toEqual(['a', 'b']);
  expect(named(['client', 'ssh:x@[2001:db8::1]:22'], ['server', 'ssh:2001:db8::2'])).toEqual([
    '2001:db8::1',
    '2001:db8::2',
  ]);
  expect(named(['client', 'ssh:web'], ['via', 'ssh:web'], ['via', 'ssh:web'], ['server', 'ssh:web'])).toEqual([
    'client web',
    'via web',
    'via 2 web',
    'server web',
  ]);
});

it.each<[args: string[], said: string]>([
  [['trace'], 'needs a target'],
  [['trace', 'web7:443'], '--server'],
  [['trace', 'web7', '--server', 'local'], 'and "web7" is neither'],
  [['trace', 'web7:443', '--server', 'teapot:1'], 'teapot'],
  [['trace', 'web7:443', 'web8:443', '--server', 'local'], 'one target'],
  [['trace', 'web7:443', '--server', 'local', '-4', '-6'], 'no address'],
  [['trace', 'web7:443', '--server', 'local', '--attempts', '0'], '--attempts'],
  [['trace', 'web7:443', '--server', 'local', '--server-port', 'x'], '--server-port'],
  [['trace', 'web7:443', '--server', 'local', '--wait', 'long'], '--wait'],
  [['trace', 'web7:443', '--server', 'local', '--pcap', '/proc/x/y'], '/proc/x'],
  [['trace', 'web7:443', '--from', '/tmp'], '--from'],
  [['trace', '--from', '/no/such/folder'], '/no/such/folder'],
])(
  '%j says what is wrong in one line',
  (args, said) => {
    const { status, stdout, stderr } = runCli(args);
    expect(stderr).toContain(said);
    expect({ status, stdout, lines: stderr.trim().split('\n').length }).toEqual({ status: 2, stdout: '', lines: 1 });
  },
  60_000,
);
