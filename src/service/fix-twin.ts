import { type Host, HostError } from '../host/host.ts';
import { InputError } from '../model/errors.ts';
import type { RepairPlan } from '../model/repair.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { formatQuantity } from '../model/text.ts';
import { snapshotHost } from '../twin/snapshot.ts';
import { TwinProcess } from '../twin/twin-process.ts';
import type { Fault } from './fix-fault.ts';
import { type TwinTrial, tryInTwin } from './prove-changes.ts';
import { supposedSyn } from './prove-syn.ts';

/** Other flows that are named when the change concerns them too. */
const MAX_NAMED = 3;

/**
 * Tries a plan on a copy of the host before the host itself is touched.
 * @param options.start gives the process of the copy, where one may have been started before.
 * @returns the plan with what the copy showed; as it was, where no copy can be made, or the copy does not show the fault.
 */
export async function withTwin(
  host: Host,
  fault: Fault,
  plan: RepairPlan,
  options: { readonly signal?: AbortSignal; readonly start?: () => Promise<TwinProcess> } = {},
): Promise<RepairPlan> {
  const commands = plan.steps
    .filter(({ alreadySo, do: words }) => !alreadySo && words.length > 0)
    .map((step) => step.do);
  const { client, server, side } = fault;
  if (side !== 'server' || client === undefined || commands.length === 0 || plan.blocked.length > 0) return plan;
  // Starting it takes as long as reading the state.
  const spare = (options.start ?? TwinProcess.start)();
  spare.catch(() => undefined);
  const spares = [spare];
  try {
    const scope = { port: server.port, client };
    const [state, { syn }] = await Promise.all([
      snapshotHost(host, scope),
      supposedSyn(host, { port: server.port, address: server.address }, client, 'server'),
    ]);
    const shown = verdictOf(await tryInTwin(state, syn, commands, { ...options, spares }), client);
    return shown === undefined ? plan : { ...plan, twin: shown };
  } catch (error) {
    // Without a copy the plan is as good as it was.
    if (error instanceof HostError || error instanceof InputError || options.signal?.aborted) return plan;
    throw error;
  } finally {
    // It is not taken when the state could not be read.
    await Promise.all(spares.map((one) => one.then((twin) => twin.close()).catch(() => undefined)));
  }
}

function verdictOf(trial: TwinTrial, client: string): RepairPlan['twin'] {
  const { answers, answeredBefore, otherFlows, otherFlowsChanged, untried } = trial;
  const [unable] = untried;
  if (answeredBefore || (unable !== undefined && !answers)) return undefined;
  const named = otherFlowsChanged.slice(0, MAX_NAMED).join('; ');
  const others =
    otherFlowsChanged.length === 0
      ? otherFlows === 0
        ? ''
        : `; ${formatQuantity(otherFlows, 'other flow')} behave as before`
      : `; it also changes ${formatQuantity(otherFlowsChanged.length, 'other flow')} (${named})`;
  const left = unable === undefined ? '' : `; not tried there: ${quoteCommand(unable.command)}`;
  return {
    helped: answers,
    statement: answers
      ? `on a copy of the host a SYN from ${client} is answered after it, and not before${others}${left}`
      : `on a copy of the host a SYN from ${client} is not answered after it either${others}`,
  };
}
