import { hostReport } from '../engine/host-report.ts';
import type { Host } from '../host/host.ts';
import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { InputError } from '../model/errors.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { Proof } from '../model/proof.ts';
import { differenceText } from '../model/proof-words.ts';
import { formatList, formatQuantity } from '../model/text.ts';
import { type Difference, differencesOf, undoAll } from '../twin/differences.ts';
import { minimiseSlowly } from '../twin/search-minimal.ts';
import { snapshotHost } from '../twin/snapshot.ts';
import type { HostState } from '../twin/state.ts';
import type { Replay, SynSpec } from '../twin/syn.ts';
import { TwinProcess } from '../twin/twin-process.ts';
import { diagnoseListen } from './diagnose-listen.ts';
import type { ProveOptions } from './prove-host.ts';
import { supposedSyn } from './prove-syn.ts';

/** How {@link bisectHosts} looks: `host` is the bad one. */
export interface BisectOptions extends Omit<ProveOptions, 'pcap'> {
  readonly good: Host;
}

/**
 * Finds which differences between two states of a host, or between two hosts, keep it from answering a SYN: the smallest set that
 * the bad one needs to have as the good one has it.
 * @throws InputError when the good one does not answer, or the bad one does.
 */
export async function bisectHosts(options: BisectOptions): Promise<CaptureReport> {
  const { host, good, port, from = '', onProgress, signal } = options;
  const startMs = performance.now();
  onProgress?.('Reading both hosts');
  const scope = { port, client: from.split('%')[0] ?? from };
  const [{ syn }, goodState, report] = await Promise.all([
    supposedSyn(good, options, from, options.role),
    snapshotHost(good, scope),
    diagnoseListen({
      host,
      port,
      from,
      forMs: 0,
      ...(options.address === undefined ? {} : { address: options.address }),
    }),
  ]);
  const badState = await snapshotHost(host, scope);
  let replays = 0;
  const ask = async (state: HostState): Promise<Replay> => {
    signal?.throwIfAborted();
    replays += 1;
    return replayOnce(state, syn, options);
  };
  onProgress?.('Replaying the SYN to a copy of each');
  const [before, after] = await Promise.all([ask(badState), ask(goodState)]);
  const flow = `a SYN from ${syn.source} to ${formatEndpoint({ address: syn.destination, port })}`;
  if (!after.isAnswered) throw unfit(`A copy of the good host (${good.spec}) does not answer ${flow}, either.`);
  if (before.isAnswered) throw unfit(`A copy of the bad host (${host.spec}) answers ${flow}.`);
  const differences = differencesOf(goodState, badState);
  const isEnough = async (some: readonly Difference[]): Promise<boolean> => {
    onProgress?.(`Copy ${replays + 1}: ${formatQuantity(some.length, 'difference')} undone`);
    return (await ask(undoAll(badState, some))).isAnswered;
  };
  const all = differences.length > 0 && (await isEnough(differences));
  const guilty = all ? await minimiseSlowly(differences, isEnough) : [];
  const [signs] = report.diagnoses;
  if (signs === undefined) throw new Error('the signs on the host were not judged');
  const proof: Proof = {
    outcome: all ? 'proven' : 'not-reproduced',
    guilty: guilty.map(({ element }) => element),
    alternatives: [],
    assumptions: [
      `${formatQuantity(differences.length, 'difference')} of the two was looked at`.replace(
        /s of the two was/,
        's of the two were',
      ),
    ],
    notCopied: [],
    replays,
    elapsedMs: performance.now() - startMs,
    tried: differences.length,
  };
  const diagnosis = bisected(signs, proof, flow);
  return hostReport('prove', host.spec, {
    diagnoses: [diagnosis],
    notSeen: report.notSeen ?? [],
    watched: undefined,
    outcomes: {},
  });
}

async function replayOnce(state: HostState, syn: SynSpec, { role }: BisectOptions): Promise<Replay> {
  const twin = await TwinProcess.start();
  try {
    await twin.build(state, { role, syn });
    return await twin.ask('replay', syn);
  } finally {
    await twin.close();
  }
}

function bisected(signs: Diagnosis, proof: Proof, flow: string): Diagnosis {
  const { guilty, tried } = proof;
  const names = guilty.map(differenceText);
  const statement =
    guilty.length === 0
      ? `none of ${formatQuantity(tried, 'difference')} that a copy can have makes it answer`
      : `with ${guilty.length === 1 ? 'this one difference' : `these ${guilty.length} differences`} undone a copy of the bad host answers; ${tried - guilty.length} others do not matter`;
  return {
    ...signs,
    sentence:
      guilty.length === 0
        ? `No difference of the two that a copy can have explains why the bad one does not answer ${flow}.`
        : `What broke it: ${formatList(names)}.`,
    evidence: [
      {
        statement,
        bearing: 'supports',
        weight: guilty.length === 0 ? 'weak' : 'conclusive',
        source: 'copies of both hosts',
      },
      ...signs.evidence,
    ],
    ...(guilty.length === 0 && signs.cause === null ? { incomplete: true as const } : {}),
    proof,
  };
}

function unfit(message: string): InputError {
  return new InputError({
    code: 'nothing-to-bisect',
    message,
    hint: 'Give the recording of the host that works first, then the one that does not; prove without --bisect looks at one alone.',
  });
}
