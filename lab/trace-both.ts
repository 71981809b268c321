import { setTimeout as sleep } from 'node:timers/promises';
import type { JoinInput } from '../src/engine/join-attempt.ts';
import { openHost } from '../src/host/open-host.ts';
import type { CaptureReport, Diagnosis } from '../src/model/diagnosis.ts';
import { diagnoseTrace } from '../src/service/trace/diagnose-trace.ts';
import type { TraceOptions } from '../src/service/trace/trace-target.ts';
import { LabClientHost } from './client-host.ts';
import type { Setting } from './run-scenario.ts';

/** What a trace of a broken lab gave: the whole, and what each end had said by itself. */
export interface TracedLab {
  readonly report: CaptureReport;
  readonly client: readonly Diagnosis[];
  readonly server: readonly Diagnosis[];
}

const CONNECT_TIMEOUT_MS = 10_000;
/** As `synscope connect --hold`: long enough for a reset that comes a little after the handshake. */
const HOLD_MS = 400;
/** Several connections, and packets that are made by hand, are waited for: they are over by then. */
const WAIT_MS = 4500;

/** Traces a broken lab, as `synscope trace TARGET --client netns:… --server netns:… --via netns:…` does. */
export async function traceLab(setting: Setting, signal?: AbortSignal): Promise<TracedLab> {
  const { plan, target, hosts } = setting;
  const byHand = plan.attempt !== undefined && ('on' in plan.attempt || (plan.attempt.count ?? 1) > 1);
  const attempt = plan.attempt === undefined || 'on' in plan.attempt ? {} : plan.attempt;
  const [client, router, server] = await Promise.all([
    openHost(hosts.client),
    openHost(hosts.router),
    openHost(hosts.server),
  ]);
  const joined = new Map<string, JoinInput>();
  let others: Promise<unknown> = Promise.resolve();
  const options: TraceOptions = {
    client: { role: 'client', name: 'the client', host: byHand ? client : new LabClientHost(client, setting, attempt) },
    server: { role: 'server', name: 'the server', host: server },
    vias: [{ role: 'via', name: 'the router', host: router }],
    target: { name: target.address, port: target.port },
    attempts: 1,
    timeoutMs: attempt.patienceMs ?? CONNECT_TIMEOUT_MS,
    holdMs: attempt.readMs ?? HOLD_MS,
    ...(byHand ? { waitMs: WAIT_MS } : {}),
    ...(signal === undefined ? {} : { signal }),
    onReady: () => {
      others = (byHand ? setting.attempt() : setting.meanwhile()).catch(() => undefined);
    },
    onJoined: (input, { handshake }) => joined.set(`${handshake.client.port} ${handshake.server.address}`, input),
  };
  try {
    const report = await diagnoseTrace(options);
    const inputs = [...joined.values()];
    return {
      report,
      client: inputs.flatMap((input) => (input.client === undefined ? [] : [input.client.alone])),
      server: inputs.flatMap((input) => (input.server === undefined ? [] : [input.server.alone])),
    };
  } finally {
    await Promise.race([others, sleep(100)]);
    await Promise.all([client.close(), router.close(), server.close()]);
  }
}
