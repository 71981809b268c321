import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../src/model/handshake.ts';
import type { PathLocation } from '../src/model/path.ts';
import { root, runCli } from './run-cli.ts';

/** One entry of samples/truth.json: what was done when the sample was recorded. */
interface Sample {
  readonly name: string;
  /** From the client's end to the server's. */
  readonly captures: readonly string[];
  /** Recordings of whole hosts, and what is wrong with them. */
  readonly hosts?: readonly {
    readonly bundle: string;
    readonly port: number;
    readonly cause: string;
    readonly synRetransmissions: number;
  }[];
  /** Attempts by outcome, as each capture alone shows them. */
  readonly outcomes: Readonly<Record<string, Partial<Record<Outcome, number>>>>;
  /** Attempts that were established after a SYN was repeated. */
  readonly late?: number;
  readonly clockOffsetMs?: number;
  readonly failures: readonly {
    readonly server: string;
    readonly location: PathLocation;
    readonly between?: readonly string[];
    readonly count: number;
    readonly synRetransmissions: number;
  }[];
}

/** The part of a report in JSON that the truth speaks of. */
interface Report {
  readonly diagnoses: readonly {
    readonly handshake: {
      readonly server: { readonly address: string; readonly port: number };
      readonly outcome: Outcome;
      readonly synRetransmissions: number;
    };
    readonly path?: { readonly location: PathLocation; readonly between?: readonly string[] };
  }[];
  readonly summary: {
    readonly handshakes: number;
    readonly failed: number;
    readonly outcomes: Partial<Record<Outcome, number>>;
    readonly late: number;
  };
  readonly clocks?: readonly { readonly capture: string; readonly offsetNs: number }[];
}

const folder = join(root, 'samples');
const samples = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as readonly Sample[];

describe('samples', () => {
  it('are small, and each has its truth', () => {
    const recorded = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(samples.map(({ name }) => name).sort()).toEqual(recorded.map(({ name }) => name).sort());
    for (const { name, captures, hosts = [] } of samples) {
      const files = [...captures, ...hosts.map(({ bundle }) => bundle)];
      expect(readdirSync(join(folder, name)).sort()).toEqual(files.sort());
      for (const file of files) expect(statSync(join(folder, name, file)).size).toBeLessThan(50_000);
    }
  });

  describe.each(samples)('$name', ({ name, captures, outcomes, late = 0, clockOffsetMs, failures, hosts = [] }) => {
    const paths = captures.map((capture) => join('samples', name, capture));

    it.each(hosts)('listen on $bundle', ({ bundle, port, cause, synRetransmissions }) => {
      const { status, report } = runJson('listen', String(port), '--on', `bundle:${join('samples', name, bundle)}`);
      expect(status).toBe(1);
      expect(report.diagnoses).toMatchObject([
        { cause: { id: cause, status: 'confirmed' }, handshake: { synRetransmissions } },
      ]);
    });

    it.each(captures)('read %s', (capture) => {
      const { status, report } = runJson('read', join('samples', name, capture));
      const expected = outcomes[capture]!;
      const failed = sum(Object.entries(expected).map(([outcome, count]) => (outcome === 'established' ? 0 : count)));
      expect(report.summary.outcomes).toEqual(expected);
      expect(report.summary.handshakes).toBe(sum(Object.values(expected)));
      expect(report.summary.failed).toBe(failed);
      expect(status).toBe(failed > 0 ? 1 : 0);
    });

    it('compare', () => {
      const { status, report } = runJson('compare', ...paths);
      const found = report.diagnoses.map(({ handshake, path }) => ({
        server: formatServer(handshake.server),
        location: path?.location,
        synRetransmissions: handshake.synRetransmissions,
      }));
      const expected = failures.flatMap(({ server, location, synRetransmissions, count }) =>
        Array.from({ length: count }, () => ({ server, location, synRetransmissions })),
      );
      expect(found.filter(({ location }) => location !== 'late')).toEqual(expect.arrayContaining(expected));
      expect(found.filter(({ location }) => location !== 'late')).toHaveLength(expected.length);
      expect(report.summary.late).toBe(late);
      expect(status).toBe(expected.length > 0 ? 1 : 0);
    });

    const between = failures.find((failure) => failure.between !== undefined)?.between;
    if (between !== undefined)
      it('compare names the two points between which it was lost', () => {
        const { report } = runJson('compare', ...paths);
        expect(report.diagnoses[0]!.path!.between!.map((capture) => capture.split('/').at(-1))).toEqual(between);
      });

    if (clockOffsetMs !== undefined)
      it('compare finds the clock offset', () => {
        const { report } = runJson('compare', ...paths);
        const clock = report.clocks!.find(({ capture }) => capture.endsWith(captures[1]!))!;
        expect(clock.offsetNs / 1e6).toBeCloseTo(clockOffsetMs!, 0);
      });
  });

  it('late: compare --all lists the attempt that came through late', () => {
    const { report } = runJson(
      'compare',
      '--all',
      ...['client.pcap', 'server.pcap'].map((file) => `samples/late/${file}`),
    );
    expect(report.diagnoses.filter(({ path }) => path?.location === 'late')).toMatchObject([
      { handshake: { server: { port: 8080 }, outcome: 'established', synRetransmissions: 1 } },
    ]);
  });
});

function runJson(...args: readonly string[]): { status: number | null; report: Report } {
  const { status, stdout, stderr } = runCli([...args, '--json']);
  expect(stderr).toBe('');
  return { status, report: JSON.parse(stdout) as Report };
}

function formatServer({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
