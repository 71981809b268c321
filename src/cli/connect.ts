import { type Command, UsageError } from './command.ts';
import { type ConnectingOptions, connectingOptions, familyOf, parseConnectTarget } from './connect-options.ts';
import { ALLOW_CHANGES, HOST_OPTIONS, type HostCommandOptions } from './host-options.ts';
import { interruptSignal } from './interrupt.ts';
import { hostExitCode } from './listen.ts';
import { checkOutputFiles } from './output-files.ts';

interface ConnectCommandOptions extends HostCommandOptions, ConnectingOptions {
  readonly allowChanges?: boolean;
}

/** A server that resets what it accepted does so at once. */
const DEFAULT_HOLD_MS = 30;

export const command: Command = {
  name: 'connect',
  argument: '<host:port | url>',
  argumentDescription: 'what cannot be reached: name or address with a port, or a URL',
  summary: "why can't I connect? (on the client)",
  examples: [
    ['sudo synscope connect api.example.com:443', 'name, proxy, route, firewall, neighbour, handshake'],
    ['synscope connect https://api.example.com', 'a URL; both address families are tried'],
    ['sudo synscope connect [2001:db8::1]:22 --hold 3s', 'stays connected and watches what the server does'],
    ['synscope connect db1:5432 --on ssh:app3', 'from another machine'],
  ],
  options: [...connectingOptions(DEFAULT_HOLD_MS), ALLOW_CHANGES, ...HOST_OPTIONS],
  async run([text = '', ...more], given) {
    const options = given as unknown as ConnectCommandOptions;
    if (more.length > 0) throw new UsageError('connect takes one target; start it once for each');
    const family = familyOf(options);
    const target = parseConnectTarget(text);
    checkOutputFiles(options, []);
    const { runConnect } = await import('./connect-run.ts');
    const report = await runConnect(options, {
      target,
      timeoutMs: options.for,
      holdMs: options.hold,
      signal: interruptSignal(),
      ...(options.allowChanges === undefined ? {} : { allowChanges: options.allowChanges }),
      ...family,
    });
    return hostExitCode(report);
  },
};
