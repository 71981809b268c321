import type { LabNode, LabStep, ScenarioPlan } from '../src/model/scenario.ts';
import { quoteCommand } from '../src/model/shell-quote.ts';

/** What a plan does, one line each, as commands where there are such. */
export function describePlan({ listener, steps, attempt, meanwhile }: ScenarioPlan): string[] {
  const tried = attempt ?? {};
  return [
    ...(listener === undefined
      ? []
      : [listener === null ? 'server: nothing listens' : `server: listens with ${details(listener)}`]),
    ...steps.map(describeStep),
    ...(meanwhile ?? []).map(({ afterMs, step }) => `${afterMs} ms after the start, ${describeStep(step)}`),
    ...('on' in tried
      ? [describeStep(tried)]
      : attempt === undefined
        ? []
        : [`client: connects with ${details(tried)}`]),
  ];
}

/** What a step does, in one line; the node first. */
function describeStep(step: LabStep): string {
  if ('waitMs' in step) return `wait ${step.waitMs} ms`;
  return `${step.on}: ${whatItDoes(step)}`;
}

function whatItDoes(step: Exclude<LabStep, { waitMs: number }> & { readonly on: LabNode }): string {
  if ('run' in step) return quoteCommand(step.run);
  if ('sysctl' in step) {
    return quoteCommand(['sysctl', '-w', ...Object.entries(step.sysctl).map(([key, value]) => `${key}=${value}`)]);
  }
  if ('nft' in step) return quoteCommand(['nft', step.nft.replace(/\s+/g, ' ').trim()]);
  if ('listen' in step) return `listens with ${details(step.listen)}`;
  if ('connect' in step) return `connects with ${details(step.connect)}`;
  if ('send' in step) return `sends packets made by hand: ${details(step.send)}`;
  if ('bpf' in step) return `attaches a BPF program: ${details(step.bpf)}`;
  if ('signal' in step) return `SIG${step.signal} to the listener ${step.listener ?? 'main'}`;
  if ('attach' in step) return `a further host ${step.attach.name} with ${step.attach.address}`;
  if ('etc' in step) return `files of its own: ${Object.keys(step.etc).join(', ')}`;
  return `answers SYNs by hand: ${details(step.answerWith)}`;
}

function details(values: object): string {
  const words = Object.entries(values).map(
    ([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  return words.join(', ') || 'nothing special';
}
