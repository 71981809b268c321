import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../src/host/host.ts';
import { openHost } from '../src/host/open-host.ts';
import type { CaptureReport } from '../src/model/diagnosis.ts';
import { diagnoseConnect } from '../src/service/diagnose-connect.ts';
import { diagnoseListen } from '../src/service/diagnose-listen.ts';
import { LabClientHost } from './client-host.ts';
import type { Setting } from './run-scenario.ts';

/** Diagnoses a broken lab from one side. This file alone knows how synscope does that. */
export type DiagnoseSide = (setting: Setting, options: DiagnoseOptions) => Promise<CaptureReport>;

/** How a side is diagnosed. */
export interface DiagnoseOptions {
  readonly signal?: AbortSignal | undefined;
  /** Gets the host that is asked, and gives the one to ask: to record it. */
  readonly wrap?: ((host: Host) => Host) | undefined;
}

/** How long the watch goes on after the attempt has ended: the server may still learn something, or nothing is expected. */
const GRACE_MS = 3500;
const GRACE_HEALTHY_MS = 900;
const LONGEST_WATCH_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** As `synscope connect --hold`: long enough for a reset that comes a little after the handshake. */
const HOLD_MS = 400;

/** Watches the port on the server, as `synscope listen PORT --on netns:…` does, while the client tries. */
export const diagnoseServer: DiagnoseSide = async (setting, { signal, wrap = asItIs }) => {
  const host = wrap(await openHost(setting.hosts.server));
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal?.addEventListener('abort', onAbort, { once: true });
  let attempt: Promise<unknown> = Promise.resolve();
  let failed: unknown;
  try {
    const report = await diagnoseListen({
      host,
      port: setting.target.port,
      forMs: LONGEST_WATCH_MS,
      signal: stop.signal,
      onReady: () => {
        attempt = setting
          .attempt()
          .catch((error: unknown) => {
            failed = error;
          })
          .then(() => sleep(setting.plan.expect?.server === null ? GRACE_HEALTHY_MS : GRACE_MS))
          .then(onAbort);
      },
    });
    if (failed !== undefined) throw failed;
    return report;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await host.close();
    void attempt;
  }
};

/** Connects from the client, as `synscope connect TARGET --on netns:…` does, by a program with the means of the plan's own attempt. */
export const diagnoseClient: DiagnoseSide = async (setting, { signal, wrap = asItIs }) => {
  const { plan, lab, names, target } = setting;
  const attempt = plan.attempt === undefined || 'on' in plan.attempt ? {} : plan.attempt;
  // All but the last of several connects only prepare it.
  if ((attempt.count ?? 1) > 1) await lab.connect('client', { ...attempt, count: attempt.count! - 1 }, names);
  const host = wrap(new LabClientHost(await openHost(setting.hosts.client), setting, attempt));
  let others: Promise<void> = Promise.resolve();
  try {
    return await diagnoseConnect({
      host,
      target: { name: target.address, port: target.port },
      timeoutMs: attempt.patienceMs ?? CONNECT_TIMEOUT_MS,
      holdMs: attempt.readMs ?? HOLD_MS,
      ...(signal === undefined ? {} : { signal }),
      onReady: () => {
        others = setting.meanwhile().catch(() => undefined);
      },
    });
  } finally {
    void others;
    await host.close();
  }
};

function asItIs(host: Host): Host {
  return host;
}
