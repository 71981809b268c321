import type { RouteFlow } from '../../formats/iproute/route-flow.ts';
import { parseRouteGet, type RouteAnswer } from '../../formats/iproute/route-get.ts';
import { type Host, HostError } from '../../host/host.ts';
import { runTool } from './run-tool.ts';

/** What was asked, and what the kernel answered. */
export interface Asked {
  readonly command: readonly string[];
  /** Absent when it was not recorded: tables must answer. */
  readonly answer?: RouteAnswer;
}

/** The question about a flow as a command: `ip -j route get ...`. */
function routeCommand(flow: RouteFlow): readonly string[] {
  return [...base(['ip', '-j', ...(flow.family === 6 ? ['-6'] : [])], flow), ...details(flow)];
}

/**
 * Asks the kernel for the route of a flow. An `ip` that does not know protocols and ports (before 4.18) is asked without.
 * @throws HostError when the host cannot be asked, other than `not-recorded`.
 */
export async function askRoute(host: Host, flow: RouteFlow): Promise<Asked> {
  const command = routeCommand(flow);
  try {
    const answer = parseRouteGet(await runTool(host, command));
    if (answer.kind !== 'not-asked') return { command, answer };
    const plain = base(['ip', ...(flow.family === 6 ? ['-6'] : [])], flow);
    const again = parseRouteGet(await runTool(host, plain));
    if (again.kind !== 'not-asked') return { command: plain, answer: again };
    throw new HostError('failed', `"${command.join(' ')}" was not understood: ${answer.message}`, {
      hint: 'install a newer iproute2',
    });
  } catch (error) {
    if (error instanceof HostError && error.code === 'not-recorded') return { command };
    throw error;
  }
}

function base(program: readonly string[], { destination, source, iif, oif, mark }: RouteFlow): string[] {
  return [
    ...program,
    ...['route', 'get', destination],
    ...(source === undefined ? [] : ['from', source]),
    ...(iif === undefined ? [] : ['iif', iif]),
    ...(oif === undefined ? [] : ['oif', oif]),
    ...(mark === undefined ? [] : ['mark', `${mark}`]),
  ];
}

function details({ ipProtocol, sourcePort, destinationPort, uid }: RouteFlow): string[] {
  return [
    ...(ipProtocol === 6 ? ['ipproto', 'tcp'] : []),
    ...(sourcePort === undefined ? [] : ['sport', `${sourcePort}`]),
    ...(destinationPort === undefined ? [] : ['dport', `${destinationPort}`]),
    ...(uid === undefined ? [] : ['uid', `${uid}`]),
  ];
}
