import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trackCapture } from '../src/collect/track-capture.ts';
import { CaptureCollector } from '../src/engine/capture-collector.ts';
import { formatIpv4, formatIpv6, parseAddress } from '../src/formats/wire/address.ts';
import type { CaptureReport, Diagnosis } from '../src/model/diagnosis.ts';
import type { Endpoint } from '../src/model/flow.ts';
import type { FindingId } from '../src/model/handshake.ts';
import { buildGenerator, whyNoGenerator } from './pcapgen.ts';

/** What each kind of flow looks like at its two ends; undefined where no packet of it comes by. */
const OUTCOMES: Readonly<Record<string, readonly [client: string, server: string | undefined]>> = {
  ok: ['established at established', 'established at established'],
  syn_lost: ['no-reply at syn', undefined],
  syn_ignored: ['no-reply at syn', 'no-reply at syn'],
  synack_lost: ['no-reply at syn', 'half-open at syn-ack'],
  ack_lost: ['half-open at ack', 'half-open at syn-ack'],
  rst_server: ['refused at syn', 'refused at syn'],
  rst_middle: ['refused at syn', undefined],
  icmp_router: ['unreachable at syn', undefined],
  icmp_host: ['unreachable at syn', 'unreachable at syn'],
  syn_lost_once: ['established at established', 'established at established'],
  wrong_ack: ['abandoned at syn', 'abandoned at syn'],
};

const FLOWS = 3000;
/** An attempt may be undecided when its last packet is so near to the end of the capture. */
const UNDECIDED_NS = 3_200_000_000n;

const skipped = whyNoGenerator();
if (skipped !== undefined) console.log(`pcapgen-truth: skipped, ${skipped}`);

describe.skipIf(skipped !== undefined).each([
  ['client', 'c', 0],
  ['server', 's', 1],
] as const)('a generated capture at the %s', (_, view, side) => {
  const directory = mkdtempSync(join(tmpdir(), 'synscope-pcapgen-'));
  const truth = new Map<string, string>();
  let report: CaptureReport;

  beforeAll(async () => {
    const program = join(directory, 'pcapgen');
    const [file, truthFile] = [join(directory, 'flows.pcap'), join(directory, 'truth.tsv')];
    buildGenerator(program);
    const shape = ['-F', String(FLOWS), '-f', '300', '-r', '200', '-s', '128', '-S', '7'];
    execFileSync(program, [...shape, '-v', view, '-T', truthFile, file], { stdio: 'ignore' });
    for (const line of readFileSync(truthFile, 'utf8').split('\n')) {
      const [, kind, client, clientPort, server, serverPort] = line.split('\t');
      if (serverPort === undefined) continue;
      truth.set(`${canonical(client!)} ${clientPort} ${canonical(server!)} ${serverPort}`, kind!);
    }
    report = await readFlows(file);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  function kindOf({ handshake: { client, server } }: Diagnosis): string {
    const name = ({ address, port }: Endpoint): string => `${address} ${port}`;
    return truth.get(`${name(client)} ${name(server)}`) ?? 'ok';
  }

  function ofKind(kind: string): Diagnosis[] {
    return report.diagnoses.filter((diagnosis) => kindOf(diagnosis) === kind);
  }

  function has({ handshake }: Diagnosis, id: FindingId): boolean {
    return handshake.findings.some((finding) => finding.id === id);
  }

  it('shows every attempt with the outcome that it had', () => {
    const wrong = new Map<string, number>();
    const lastNs = report.captures[0]!.lastNs!;
    for (const diagnosis of report.diagnoses) {
      const { outcome, stage, endedAtNs } = diagnosis.handshake;
      if (outcome === 'in-progress' && lastNs - endedAtNs < UNDECIDED_NS) continue;
      const kind = kindOf(diagnosis);
      const line = `${kind}: ${outcome} at ${stage}`;
      if (line !== `${kind}: ${OUTCOMES[kind]![side]}`) wrong.set(line, (wrong.get(line) ?? 0) + 1);
    }
    expect(Object.fromEntries(wrong)).toEqual({});
  });

  it('shows as many attempts of each kind as there were', () => {
    const expected = new Map<string, number>();
    for (const kind of truth.values()) {
      if (OUTCOMES[kind]![side] !== undefined) expected.set(kind, (expected.get(kind) ?? 0) + 1);
    }
    expect(expected.size).toBe(side === 0 ? 10 : 7);
    for (const [kind, count] of expected) expect(ofKind(kind), kind).toHaveLength(count);
    expect(ofKind('ok').length).toBeGreaterThan(FLOWS / 2);
  });

  it('shows who was late', () => {
    const late = report.diagnoses.filter((diagnosis) => has(diagnosis, 'late'));
    expect(late.map(kindOf).filter((kind) => kind !== 'syn_lost_once')).toEqual([]);
    expect(late).toHaveLength(side === 0 ? ofKind('syn_lost_once').length : 0);
    expect(report.summary.late).toBe(late.length);
  });

  it('does not blame the wrong one for a RST', () => {
    expect(ofKind('rst_server').filter((diagnosis) => has(diagnosis, 'reset-by-middlebox'))).toEqual([]);
    expect(ofKind('rst_middle').filter((diagnosis) => has(diagnosis, 'reset-by-server'))).toEqual([]);
    if (side !== 0) return;
    expect(ofKind('rst_middle').some((diagnosis) => has(diagnosis, 'reset-by-middlebox'))).toBe(true);
    expect(ofKind('rst_server').some((diagnosis) => has(diagnosis, 'reset-by-server'))).toBe(true);
  });

  it('tells routers from servers by their ICMP errors', () => {
    const byServer = ({ handshake: { segments, server } }: Diagnosis): boolean =>
      segments.some(({ icmp }) => icmp?.from === server.address);
    expect(ofKind('icmp_host').every(byServer)).toBe(true);
    expect(ofKind('icmp_router').some(byServer)).toBe(false);
  });

  it('recognises an ACK that answers a SYN', () => {
    const answered = ofKind('wrong_ack');
    expect(answered.length).toBeGreaterThan(0);
    expect(answered.every((diagnosis) => has(diagnosis, 'challenge-ack'))).toBe(true);
  });

  it('adds up to the same in groups, diagnoses and counts', () => {
    const { summary, groups } = report;
    expect(report.diagnoses).toHaveLength(summary.handshakes);
    const established = summary.outcomes.established ?? 0;
    const grouped = groups.reduce((sum, { count }) => sum + count, 0);
    expect(grouped).toBe(summary.handshakes - established + summary.late);
  });
});

/** Reads a capture as `synscope read --all` does. */
async function readFlows(file: string): Promise<CaptureReport> {
  const collector = new CaptureCollector({ name: file, all: true, limit: Number.POSITIVE_INFINITY });
  const { summary, tracker, baseNs } = await trackCapture(file, {}, collector);
  return collector.report(tracker, baseNs, [summary], []);
}

function canonical(address: string): string {
  const bytes = parseAddress(address)!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length === 4 ? formatIpv4(view, 0) : formatIpv6(view, 0);
}
