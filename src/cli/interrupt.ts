import process from 'node:process';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

let controller: AbortController | undefined;

/** Ends what listens to {@link interruptSignal}, as Ctrl-C does. */
export function interrupt(): void {
  controller?.abort();
}

/** Waits while Ctrl-C and SIGTERM end the process at once: no listener could run. */
export function withDefaultSignals(wait: () => void): void {
  const held = SIGNALS.map((name) => ({ name, listeners: process.rawListeners(name) as (() => void)[] }));
  for (const { name } of held) process.removeAllListeners(name);
  try {
    wait();
  } finally {
    for (const { name, listeners } of held) for (const listener of listeners) process.on(name, listener);
  }
}

/**
 * A signal that Ctrl-C (or SIGTERM) aborts once, so that a command can end with what it knows. A second Ctrl-C ends the process.
 * @param endNow ends the process with that exit code.
 */
export function interruptSignal(endNow: (code: number) => void = (code) => process.exit(code)): AbortSignal {
  if (controller !== undefined) return controller.signal;
  const created = new AbortController();
  controller = created;
  for (const name of SIGNALS) {
    process.once(name, () => {
      created.abort();
      process.once(name, () => endNow(name === 'SIGINT' ? 130 : 143));
    });
  }
  return created.signal;
}
