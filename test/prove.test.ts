import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pcapFile } from '../src/formats/pcap/testing/capture-builder.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../src/host/testing/namespaces.ts';
import type { Proof } from '../src/model/proof.ts';
import { TCP_SYN, tcpFrame } from '../src/twin/frames.ts';
import { inside, listenIn } from '../src/twin/testing/real-server.ts';
import { root, runCli } from './run-cli.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: proofs on copies of hosts (${missing})`);

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/capture-report.schema.json'), 'utf8')) as object;
const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);
const PORT = 8080;
/** Not on the link of the server. */
const FAR_V4 = '198.51.100.7';
const FAR_V6 = '2001:db8:77::7';

interface Proven {
  readonly status: number | null;
  readonly proof: Proof;
  readonly cause: { readonly id: string; readonly status: string } | null;
  readonly sentence: string;
}

describe('prove', () => {
  it.each([
    [['prove', '443'], 'prove needs to know whose SYN'],
    [['prove', '443', '--from', 'web7'], '--from takes the IP address of a client'],
    [['prove', 'web', '--from', '192.0.2.7'], 'prove takes a port (443)'],
    [['prove', '443', '444', '--from', '192.0.2.7'], 'prove takes one port'],
    [['prove', '443', '--from', '192.0.2.7', '--as', 'proxy'], '--as takes server, router or client'],
    [['prove', '443', '--from', '192.0.2.7', '--as', 'router'], '--as router needs the address of the server'],
    [['prove', '443', '--from', '192.0.2.7', '--bisect', 'good.syn'], '--bisect takes two recordings'],
    [['prove', '443', '--pcap', '/no/such.pcap'], '/no/such.pcap'],
  ])('%j is refused', (argv, message) => {
    const { status, stderr, stdout } = runCli(argv);
    expect(stderr).toContain(message);
    expect([stdout, status]).toEqual(['', 2]);
  });
});

describe.skipIf(missing !== undefined)('prove in network namespaces', () => {
  let pair: NamespacePair;
  let folder: string;
  let stop: () => void;
  const mend: (() => void)[] = [];
  const server = (...argv: string[]): void => void inside(pair.server, argv);
  const nft = (rules: string): void => {
    inside(pair.server, ['nft', '-f', '-'], rules);
    mend.push(() => server('nft', 'flush', 'ruleset'));
  };

  beforeAll(() => {
    pair = makeNamespacePair('synp');
    folder = mkdtempSync(join(tmpdir(), 'synscope-prove-'));
    stop = listenIn(pair.server, '::', PORT);
    server('ip', 'route', 'add', 'default', 'via', CLIENT_V4);
    // The server has to know its neighbours.
    for (const address of [CLIENT_V4, CLIENT_V6]) server('ping', '-c1', '-W2', address);
  });
  afterEach(() => {
    for (const undo of mend.splice(0)) undo();
  });
  afterAll(() => {
    stop?.();
    pair?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function prove(...argv: string[]): Proven {
    const { status, stdout, stderr } = runCli([
      'prove',
      `[${SERVER_V6}]:${PORT}`,
      '--on',
      `netns:${pair.server}`,
      '--json',
      ...argv,
    ]);
    return read(status, stdout, stderr);
  }

  function proveV4(...argv: string[]): Proven {
    const { status, stdout, stderr } = runCli([
      'prove',
      `${SERVER_V4}:${PORT}`,
      '--on',
      `netns:${pair.server}`,
      '--json',
      ...argv,
    ]);
    return read(status, stdout, stderr);
  }

  function read(status: number | null, stdout: string, stderr: string): Proven {
    expect(stderr).toBe('');
    const report = JSON.parse(stdout) as { diagnoses: Proven[] };
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    const [diagnosis] = report.diagnoses;
    return { ...(diagnosis as Proven), status };
  }

  it('acquits a host that answers, whatever rules it has', () => {
    nft(`table inet fw {
 set known { type ipv4_addr; flags interval; elements = { ${FAR_V4}/32, 203.0.113.0/24 } }
 chain input {
  type filter hook input priority 0; policy drop;
  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  tcp dport ${PORT} ip saddr @known accept
 }
}\n`);
    const { status, proof, cause, sentence } = proveV4('--from', FAR_V4);
    expect(sentence).toBe(
      `This host answers a SYN from ${FAR_V4} to ${SERVER_V4}:${PORT}: look at the path and at the client.`,
    );
    expect([status, cause]).toEqual([0, null]);
    expect(proof).toMatchObject({ outcome: 'acquitted', guilty: [], notCopied: [] });
    expect(proof.assumptions.join()).toMatch(/the copy equals the host in all of \d+ elements/);
  });

  it('proves the one rule among many, by the name that the host has for it, and tries the repair', () => {
    nft(`table inet fw {
 chain input {
  type filter hook input priority 0;
  ct state established accept
  tcp dport 22 accept
  tcp dport 23 drop
 }
}\n`);
    // Handles of the copy are others.
    server('nft', 'delete', 'rule', 'inet', 'fw', 'input', 'handle', '4');
    server('nft', 'add', 'rule', 'inet', 'fw', 'input', 'ip', 'saddr', FAR_V4, 'drop');
    const { status, proof, cause } = proveV4('--from', FAR_V4);
    expect(cause).toMatchObject({ id: 'netfilter-drop-in', status: 'confirmed' });
    expect(proof.outcome).toBe('proven');
    expect(proof.guilty).toEqual([
      {
        kind: 'nft-rule',
        element: expect.stringMatching(/^inet fw input handle \d+$/),
        change: 'removed',
        text: `ip saddr ${FAR_V4} drop`,
      },
    ]);
    const listed = inside(pair.server, ['nft', '-a', 'list', 'chain', 'inet', 'fw', 'input']);
    expect(listed).toContain(`ip saddr ${FAR_V4} drop # handle ${proof.guilty[0]?.element.split(' ').at(-1)}`);
    expect(proof.remedies?.map(({ answers }) => answers)).toContain(true);
    expect(status).toBe(1);
  });

  it('proves two rules that drop it one after the other, together', () => {
    nft(`table inet one {
 chain input { type filter hook input priority 0; tcp dport ${PORT} drop; }
}
table inet two {
 chain input { type filter hook input priority 10; ip saddr ${FAR_V4} drop; }
}\n`);
    const { proof } = proveV4('--from', FAR_V4);
    expect(proof.outcome).toBe('proven');
    expect(proof.guilty.map(({ element }) => element.replace(/ handle \d+$/, '')).sort()).toEqual([
      'inet one input',
      'inet two input',
    ]);
  });

  it('proves a missing way back, and blames nothing that is there', () => {
    const { status, proof, cause } = prove('--from', FAR_V6);
    expect(cause).toMatchObject({ id: 'no-return-route', status: 'confirmed' });
    expect(proof.guilty).toMatchObject([{ kind: 'route', change: 'added' }]);
    expect(proof.alternatives.flat().every(({ change }) => change.startsWith('added'))).toBe(true);
    expect(status).toBe(1);
  });

  it('replays the packet of a capture, and proves what is wrong with it', () => {
    const mac = /link\/ether (\S+)/.exec(inside(pair.server, ['ip', 'link', 'show', 'eth0']))?.[1] ?? '';
    const clientMac = /link\/ether (\S+)/.exec(inside(pair.client, ['ip', 'link', 'show', 'eth0']))?.[1] ?? '';
    const frame = tcpFrame({
      sourceMac: clientMac,
      destinationMac: mac,
      source: CLIENT_V4,
      destination: SERVER_V4,
      sourcePort: 40_000,
      destinationPort: PORT,
      flags: TCP_SYN,
      sequence: 1,
    });
    frame[frame.length - 4]! ^= 0xff;
    const file = join(folder, 'bad.pcap');
    const packets = [0n, 1n, 3n].map((second) => ({
      timeNs: 1_700_000_000_000_000_000n + second * 1_000_000_000n,
      bytes: frame,
    }));
    writeFileSync(file, pcapFile(packets));
    const { status, proof, cause } = proveV4('--pcap', file);
    expect(proof.guilty).toEqual([{ kind: 'packet', element: 'TCP checksum', change: 'right' }]);
    expect([cause?.id, status]).toEqual(['tcp-bad-checksum', 1]);
  });

  it('tells which difference of two recordings broke it', () => {
    const record = (name: string): string => {
      const file = join(folder, name);
      const argv = [
        'record',
        '-o',
        file,
        '--for',
        '0',
        '--port',
        String(PORT),
        '--from',
        FAR_V4,
        '--on',
        `netns:${pair.server}`,
      ];
      expect(runCli(argv).stderr).toBe('');
      return file;
    };
    const good = record('good.syn');
    server('ip', 'addr', 'add', '10.78.0.1/24', 'dev', 'eth0');
    server('ip', 'route', 'add', 'blackhole', '198.51.100.0/24');
    mend.push(() => server('ip', 'route', 'del', 'blackhole', '198.51.100.0/24'));
    const bad = record('bad.syn');
    const { status, stdout, stderr } = runCli([
      'prove',
      `${SERVER_V4}:${PORT}`,
      '--from',
      FAR_V4,
      '--bisect',
      good,
      bad,
      '--json',
    ]);
    const { proof, sentence } = read(status, stdout, stderr);
    expect(proof.guilty).toMatchObject([
      { kind: 'route', element: expect.stringMatching(/^blackhole 198\.51\.100\.0\/24/), change: 'added' },
    ]);
    expect(sentence).toMatch(/^What broke it: the route blackhole 198\.51\.100\.0\/24.* was added\.$/);
    expect(status).toBe(1);
    // From a recording alone, without the host.
    const alone = runCli(['prove', `${SERVER_V4}:${PORT}`, '--from', FAR_V4, '--on', `bundle:${bad}`, '--json']);
    expect(read(alone.status, alone.stdout, alone.stderr).proof.guilty).toMatchObject([
      { kind: 'route', change: 'removed' },
    ]);
  });

  it('turns what listen finds into a proof', () => {
    server('ip', 'rule', 'add', 'pref', '50', 'to', FAR_V4, 'prohibit');
    mend.push(() => server('ip', 'rule', 'del', 'pref', '50'));
    const argv = [
      'listen',
      `${SERVER_V4}:${PORT}`,
      '--from',
      FAR_V4,
      '--prove',
      '--json',
      '--on',
      `netns:${pair.server}`,
    ];
    const { status, stdout, stderr } = runCli(argv);
    const { proof, cause } = read(status, stdout, stderr);
    expect(cause).toMatchObject({ id: 'return-rule-rejected', status: 'confirmed' });
    expect(proof.guilty).toMatchObject([{ kind: 'rule', change: 'removed' }]);
    expect(status).toBe(1);
  });
});
