import process from 'node:process';

/** Aborts at the first Ctrl-C or SIGTERM, so that a run can take its namespaces down before the program ends. */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => {
      process.exitCode = 130;
      controller.abort(new Error(`stopped by ${name}`));
    });
  }
  return controller.signal;
}
