import process from 'node:process';
import { InputError } from '../model/errors.ts';
import { Journal } from '../remedy/journal/journal.ts';
import { stateDirectory } from '../remedy/state-directory.ts';
import { forTerminal } from '../report/escape.ts';
import { Alerts } from '../service/alerts/alerts.ts';
import { HistoryError } from '../service/history/history-error.ts';
import type { HistoryStore } from '../service/history/history-store.ts';
import { openHistory } from '../service/history/open-history.ts';
import { defaultConfig } from '../service/watch/config.ts';
import type { WatchConfig } from '../service/watch/config-types.ts';
import { listenAddress } from '../service/watch/config-values.ts';
import { readConfig } from '../service/watch/read-config.ts';
import { PolicyRepairer } from '../service/watch/repair.ts';
import { Watch } from '../service/watch/watch.ts';
import { UsageError } from './command.ts';
import { packageVersion } from './package-version.ts';
import type { WatchCommandOptions } from './watch.ts';
import { watchOutput } from './watch-output.ts';
import { WatchPage } from './watch-page.ts';

/**
 * Watches until the signal ends it.
 * @param onReload gets what reads the configuration anew.
 */
export async function runWatch(
  options: WatchCommandOptions,
  signal: AbortSignal,
  onReload: (reload: () => void) => void,
): Promise<void> {
  const config = configOf(options);
  let current = config;
  const state = options.state ?? stateDirectory();
  const store = await openStore(state);
  const repairer = new PolicyRepairer({
    config: () => current,
    journal: new Journal(state),
    onRepair: (incidentId, repair) => watch.addRepair(incidentId, [repair]),
  });
  const watch: Watch = new Watch({
    config,
    store,
    repairer,
    version: packageVersion(),
    onBug: (error) => sayBug(error),
  });
  const takeAnew = async (): Promise<void> => {
    const place = page?.place;
    let outcome = 'was read anew';
    try {
      const next = configOf(options);
      await page?.reload(next);
      const receivers = new Alerts(watch, next.alerts, sayTrouble);
      void alerts?.close();
      alerts = receivers;
      current = next;
      watch.reload(current);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      outcome = `stays as it was: ${forTerminal(error.message)}`;
    }
    // Whoever waits for the outcome finds the page where the line before says.
    if (page !== undefined && page.place !== place) output.move(page.place);
    process.stderr.write(`synscope: the configuration ${outcome}\n`);
  };
  let reloading: Promise<void> = Promise.resolve();
  const reload = (): void => {
    reloading = reloading.then(takeAnew).catch(sayBug);
  };
  const output = watchOutput(watch, options.json === true);
  let page: WatchPage | undefined;
  let alerts: Alerts | undefined;
  try {
    for (const told of await repairer.start()) process.stderr.write(`synscope: ${forTerminal(told)}\n`);
    // Who is told of incidents must know those that were told before, and miss none of those that begin now.
    await watch.resume();
    alerts = new Alerts(watch, config.alerts, sayTrouble);
    await watch.start();
    page = await WatchPage.start({ view: watch, store, config, state, repairer, alerts: () => alerts?.numbers() });
    onReload(reload);
    output.begin(page.place);
    await untilAborted(signal);
  } finally {
    onReload(() => {});
    output.end();
    await reloading;
    await page?.close();
    await watch.stop();
    await alerts?.close();
    await store.close();
  }
}

/** @throws InputError for a file that cannot be used, UsageError for an option. */
function configOf({ config: path, listen, page, port, on }: WatchCommandOptions): WatchConfig {
  const config = path === undefined ? defaultConfig() : readConfig(path);
  if (listen !== undefined && !listenAddress.safeParse(listen).success) {
    throw new UsageError(`--listen takes an address and a port such as 127.0.0.1:7321, and "${listen}" is none`);
  }
  const only = port.map((one) => [one, one] as const);
  const ports = only.length === 0 ? {} : { ports: only };
  return {
    ...config,
    listeners: { ...config.listeners, ...ports },
    outbound: { ...config.outbound, ...ports },
    namespaces: { ...config.namespaces, ...(on === undefined ? {} : { include: [on] }) },
    page: { ...config.page, enabled: config.page.enabled && page, ...(listen === undefined ? {} : { listen }) },
  };
}

async function openStore(folder: string): Promise<HistoryStore> {
  try {
    return await openHistory(folder);
  } catch (error) {
    if (!(error instanceof HistoryError)) throw error;
    throw new InputError({
      code: error.problem,
      message: `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.`,
      ...(error.hint === undefined ? {} : { hint: `${error.hint[0]?.toUpperCase()}${error.hint.slice(1)}.` }),
    });
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function sayTrouble(message: string): void {
  process.stderr.write(`synscope: an alert could not be delivered: ${forTerminal(message)}\n`);
}

function sayBug(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = text.split('\n').map(forTerminal).join('\n');
  process.stderr.write(`synscope: this is a bug of synscope, please report it; the watch goes on:\n${lines}\n`);
}
