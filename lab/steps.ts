import { setTimeout as sleep } from 'node:timers/promises';
import type { LabBpf, LabNames, LabNode, LabStep } from '../src/model/scenario.ts';
import type { BpfTask } from './actors/tasks.ts';
import type { Lab } from './lab.ts';
import { answerTask, sendTask } from './task-defaults.ts';
import { attachNamespace } from './topology.ts';

/** Does one step of a scenario to its end. @throws LabError when it cannot be done. */
export async function performStep(lab: Lab, step: LabStep, names: LabNames): Promise<void> {
  if ('waitMs' in step) {
    await sleep(step.waitMs);
  } else if ('run' in step) {
    if (step.mayFail === true) await lab.run(step.on, step.run, step.input);
    else await lab.must(step.on, step.run, step.input);
  } else if ('sysctl' in step) {
    const words = Object.entries(step.sysctl).map(([key, value]) => `${key}=${value}`);
    await lab.must(step.on, ['sysctl', '-q', '-w', ...words]);
  } else if ('nft' in step) {
    await lab.must(step.on, ['nft', '-f', '-'], nftText(step.nft));
  } else if ('listen' in step) {
    await lab.listen(step.on, step.listen, names);
  } else if ('connect' in step) {
    await lab.connect(step.on, step.connect, names);
  } else if ('send' in step) {
    await lab.perform(step.on, { do: 'send', send: sendTask(step.on, step.send, names, lab.addresses) });
  } else if ('bpf' in step) {
    await lab.perform(step.on, { do: 'bpf', bpf: bpfTask(lab, step.bpf, names) });
  } else if ('signal' in step) {
    lab.signal(step.signal, step.listener);
  } else if ('attach' in step) {
    await attachNamespace(lab.addresses.run, step.attach.name, step.attach.address);
  } else if ('answerWith' in step) {
    await answerInsteadOf(lab, step.on, step.answerWith, names);
  } else if ('etc' in step) {
    lab.writeEtc(step.on, step.etc);
  }
}

/** A rule set as every nft reads it: before 1.0.7 it wants a new line behind a closing brace, also in a rule set of one line. */
function nftText(text: string): string {
  return `${text.replace(/\}[ \t]*(?=\}|(?:chain|set|map|table)\b)/g, '}\n')}\n`;
}

/** Starts a responder, and keeps the node's own kernel from answering or forwarding what the responder answers. */
async function answerInsteadOf(
  lab: Lab,
  node: LabNode,
  answer: Extract<LabStep, { answerWith: unknown }>['answerWith'],
  names: LabNames,
): Promise<void> {
  const task = answerTask(answer, names);
  // The responder's packet socket comes before prerouting.
  const rules = `table inet lab_answer { chain prerouting { type filter hook prerouting priority -400; tcp dport ${task.port} drop; } }`;
  await lab.must(node, ['nft', '-f', '-'], nftText(rules));
  await lab.perform(node, { do: 'answer', answer: task });
}

function bpfTask(lab: Lab, bpf: LabBpf, { port }: LabNames): BpfTask {
  return 'cgroup' in bpf ? { ...bpf, port, cgroup: lab.cgroup(bpf.cgroup) } : { ...bpf, port };
}
