import process from 'node:process';

let controller: AbortController | undefined;

/** Ends what listens to {@link interruptSignal}, as Ctrl-C does. */
export function interrupt(): void {
  controller?.abort();
}

/**
 * A signal that Ctrl-C (or SIGTERM) aborts once, so that a command can end with what it knows. A second Ctrl-C ends the process.
 * @param endNow ends the process with that exit code.
 */
export function interruptSignal(endNow: (code: number) => void = (code) => process.exit(code)): AbortSignal {
  if (controller !== undefined) return controller.signal;
  const created = new AbortController();
  controller = created;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      created.abort();
      process.once(name, () => endNow(name === 'SIGINT' ? 130 : 143));
    });
  }
  return created.signal;
}
