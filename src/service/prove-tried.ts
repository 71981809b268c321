import { HostError } from '../host/host.ts';
import type { Change } from '../model/cause.ts';
import { changeCommands } from '../model/change-commands.ts';
import type { Diagnosis } from '../model/diagnosis.ts';
import type { TriedRemedy } from '../model/proof.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import type { HostState } from '../twin/state.ts';
import type { SynSpec } from '../twin/syn.ts';
import { type TrialOptions, tryInTwin } from './prove-changes.ts';

/** Each is tried on a copy of its own. */
const MAX_TRIED = 2;

/** Tries the first repairs of a proven diagnosis on copies of the host. */
export async function withTriedRemedies(
  diagnosis: Diagnosis,
  state: HostState,
  syn: SynSpec,
  options: TrialOptions,
): Promise<Diagnosis> {
  const { proof, remedies } = diagnosis;
  if (proof?.outcome !== 'proven') return diagnosis;
  const tried = await Promise.all(
    remedies.slice(0, MAX_TRIED).map(async ({ id, changes }): Promise<TriedRemedy | undefined> => {
      const commands = changes.flatMap((change) => changeCommands(change as Change));
      if (commands.length === 0) return undefined;
      try {
        const trial = await tryInTwin(state, syn, commands, options);
        return {
          id,
          answers: trial.answers,
          alsoChanges: trial.otherFlowsChanged,
          otherFlows: trial.otherFlows,
          untried: trial.untried.map(({ command, reason }) => `${quoteCommand(command)}: ${reason}`),
        };
      } catch (error) {
        // The proof stands without it.
        if (error instanceof HostError) return undefined;
        throw error;
      }
    }),
  );
  const done = tried.filter((one) => one !== undefined);
  return done.length === 0 ? diagnosis : { ...diagnosis, proof: { ...proof, remedies: done } };
}
