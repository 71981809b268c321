import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anonymize } from '../host/bundle/anonymize.ts';
import { readBundle, writeBundle } from '../host/bundle/bundle-file.ts';
import { BundleHost } from '../host/bundle/bundle-host.ts';
import type { Bundle } from '../host/bundle/entry.ts';
import { openHost } from '../host/open-host.ts';
import { makeNamespacePair, type NamespacePair, namespacesMissing, SERVER_V6 } from '../host/testing/namespaces.ts';
import { ScriptedHost } from '../host/testing/scripted-host.ts';
import { snapshotHost } from '../twin/snapshot.ts';
import { diagnoseListen } from './diagnose-listen.ts';
import { type HostRecording, recordHost } from './record-host.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: recordings of network namespaces (${missing})`);

/** An address of the client that the server has no route to. */
const FAR = 'fd99::9';
const PORTS = [7443, 7444] as const;

function header(ports: readonly number[]): Bundle['header'] {
  return {
    format: 'synscope-bundle',
    version: 1,
    synscope: '0.1.0',
    recordedAt: '2026-11-21T05:06:07Z',
    on: 'netns:x',
    ports,
    redacted: [],
    anonymized: false,
  };
}

describe.skipIf(missing !== undefined)('a host that has no route back', () => {
  const children: ChildProcess[] = [];
  let pair: NamespacePair;
  let folder = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-record-'));
    pair = makeNamespacePair('synk');
    execFileSync('ip', ['-n', pair.client, 'addr', 'add', `${FAR}/128`, 'dev', 'lo', 'nodad']);
    const listen = `for (const port of ${JSON.stringify(PORTS)}) require('node:net').createServer((s) => s.end()).listen(port, '::', () => console.log('up'));`;
    const server = spawn('ip', ['netns', 'exec', pair.server, process.execPath, '-e', listen]);
    children.push(server);
    await new Promise((resolve) => server.stdout.once('data', resolve));
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    pair?.remove();
    rmSync(folder, { recursive: true });
  });

  /** The client tries from an address that the server cannot answer, and from one that it can. */
  function connect(port: number): void {
    const code = `for (const localAddress of ['${FAR}', undefined]) require('node:net').connect({ host: '${SERVER_V6}', port: ${port}, localAddress }).on('error', () => {});
      setTimeout(() => process.exit(), 3500);`;
    children.push(spawn('ip', ['netns', 'exec', pair.client, process.execPath, '-e', code], { stdio: 'ignore' }));
  }

  async function record(ports: readonly number[] | undefined): Promise<HostRecording> {
    const host = await openHost(`netns:${pair.server}`);
    try {
      return await recordHost({
        host,
        forMs: 3000,
        ...(ports === undefined ? {} : { ports }),
        onReady: () => connect(PORTS[0]),
      });
    } finally {
      await host.close();
    }
  }

  /** Judges a port of a recording that went through a file. */
  async function judge(bundle: Bundle, port: number): ReturnType<typeof diagnoseListen> {
    const path = join(folder, 'bundle');
    await writeBundle(path, bundle, true);
    const host = new BundleHost(await readBundle(path), `bundle:${path}`);
    const startedMs = performance.now();
    const report = await diagnoseListen({ host, port, forMs: 30_000, keep: true });
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    return report;
  }

  it('is judged from its recording as it was itself, also without addresses', async () => {
    const recording = await record([PORTS[0]]);
    expect(recording.uncaptured).toBe(undefined);
    expect(recording.reports.map(({ diagnoses }) => diagnoses[0]?.cause?.id)).toEqual(['no-return-route']);
    const bundle = { header: header(recording.ports), entries: recording.entries };
    const plain = await judge(bundle, PORTS[0]);
    expect(plain.diagnoses.map(({ cause }) => [cause?.id, cause?.status])).toEqual([['no-return-route', 'confirmed']]);
    expect(plain.diagnoses[0]?.handshake.client.address).toBe(FAR);
    expect(plain.summary.handshakes).toBe(2);
    const counted = plain.diagnoses[0]?.evidence.map(({ statement }) => statement).join('\n') ?? '';
    const syns = plain.diagnoses[0]?.handshake.segments.length;
    expect(counted).toContain(`ListenDrops +${syns}`);

    const hidden = await judge(anonymize(bundle), PORTS[0]);
    expect(hidden.diagnoses.map(({ cause }) => [cause?.id, cause?.status])).toEqual([['no-return-route', 'confirmed']]);
    expect(hidden.diagnoses[0]?.evidence.length).toBe(plain.diagnoses[0]?.evidence.length);
    const client = hidden.diagnoses[0]?.handshake.client.address ?? '';
    expect(client).toMatch(/^f[cd]/);
    const file = zstdDecompressSync(readFileSync(join(folder, 'bundle')));
    for (const secret of [FAR, SERVER_V6, 'fd77', 'fd99', '10.77.0']) expect(file.includes(secret), secret).toBe(false);
    const packets = (await readBundle(join(folder, 'bundle'))).entries.flatMap(({ answer }) =>
      answer !== undefined && 'packets' in answer ? [answer.packets] : [],
    );
    for (const digits of ['fd990000', 'fd770000']) {
      expect(Buffer.concat(packets).includes(Buffer.from(digits, 'hex')), digits).toBe(false);
    }
  });

  it('can be copied from its recording, also without addresses', async () => {
    const recording = await record([PORTS[0]]);
    const bundle = { header: header(recording.ports), entries: recording.entries };
    for (const one of [bundle, anonymize(bundle)]) {
      const diagnosis = (await judge(one, PORTS[0])).diagnoses[0];
      const { client, server } = diagnosis?.handshake ?? {};
      const state = await snapshotHost(new BundleHost(one, 'bundle:x'), {
        port: PORTS[0],
        client: client?.address ?? '',
      });
      // What only the machine itself tells is not in a recording.
      expect(state.notRead.map(({ what }) => what.split(' ')[0])).toEqual(['options']);
      expect(state.sockets.map(({ local }) => local.port).sort()).toEqual([...PORTS]);
      expect(state.addresses.map(({ address }) => address)).toContain(server?.address);
      expect(Object.keys(state.sysctls).length).toBeGreaterThan(500);
    }
  });

  it('is recorded with all its ports when none is named', async () => {
    const recording = await record(undefined);
    expect(recording.ports).toEqual([...PORTS]);
    const bundle = { header: header(recording.ports), entries: recording.entries };
    const [failing, idle] = [await judge(bundle, PORTS[0]), await judge(bundle, PORTS[1])];
    expect(failing.diagnoses.map(({ cause }) => cause?.id)).toEqual(['no-return-route']);
    expect(idle.diagnoses.filter(({ cause }) => cause !== null)).toEqual([]);
  });

  it('is judged by its state when nothing was watched', async () => {
    const host = await openHost(`netns:${pair.server}`);
    const { entries, ports } = await recordHost({ host, ports: [PORTS[0]], from: FAR, forMs: 0 });
    await host.close();
    const bundle = new BundleHost({ header: header(ports), entries }, 'bundle:x');
    const report = await diagnoseListen({ host: bundle, port: PORTS[0], from: FAR, forMs: 0 });
    expect(report.diagnoses[0]?.cause).toMatchObject({ id: 'no-return-route', status: 'confirmed' });
  });
});

it('a host whose ports cannot be read needs one to be named', async () => {
  await expect(recordHost({ host: new ScriptedHost({}), forMs: 0 })).rejects.toMatchObject({
    name: 'InputError',
    hint: expect.stringContaining('--port'),
  });
});
