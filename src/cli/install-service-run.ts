import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProcess } from '../host/run-process.ts';
import { quoteForShell } from '../host/ssh/remote-command.ts';
import { InputError } from '../model/errors.ts';
import { forTerminal } from '../report/escape.ts';
import { hasGroup } from '../service/install/groups.ts';
import { installSteps, STATE_PATH, uninstallSteps } from '../service/install/plan.ts';
import { checkPrograms, ownPrograms } from '../service/install/programs.ts';
import type { DoneStep, Step } from '../service/install/steps.ts';
import { takeSteps } from '../service/install/take-steps.ts';
import { SERVICE_USER, UNIT } from '../service/install/unit.ts';
import { EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG } from './command.ts';
import type { InstallServiceOptions } from './install-service.ts';
import type { UninstallServiceOptions } from './uninstall-service.ts';

/** A service whose configuration is wrong ends at once. */
const SETTLE_MS = 1500;

/** Runs `synscope install-service`. Returns the exit code: 1 when something failed. */
export async function runInstall(options: InstallServiceOptions): Promise<number> {
  const { root, config, kernelEvents = false, start, dryRun = false } = options;
  const programs = ownPrograms();
  checkMachine('install-service', options);
  if (!dryRun && root === '/') checkPrograms(programs);
  const steps = installSteps({
    ...{ root, programs, config, kernelEvents, start },
    hasSysusers: ['/usr/bin', '/bin'].some((folder) => existsSync(`${folder}/systemd-sysusers`)),
    hasGroup: (name) => hasGroup(root, name),
  });
  const failed = await take(steps, options, 'install-service');
  if (failed || dryRun || options.json === true) return failed ? EXIT_CAUSE_FOUND : EXIT_NOTHING_WRONG;
  if (root === '/' && start && !(await staysUp())) {
    write(`\nIt does not stay up. Why: journalctl -u ${UNIT} -n 20`);
    return EXIT_CAUSE_FOUND;
  }
  write(`\nConfigure it: ${config}, then systemctl reload synscope. Its log: journalctl -u synscope`);
  if (root === '/' && start)
    write('Page: http://127.0.0.1:7321 (unless configured otherwise). Incidents: synscope incidents');
  return EXIT_NOTHING_WRONG;
}

/** Runs `synscope uninstall-service`. Returns the exit code: 1 when something failed. */
export async function runUninstall(options: UninstallServiceOptions): Promise<number> {
  const { root, config, purge = false } = options;
  checkMachine('uninstall-service', options);
  const failed = await take(uninstallSteps({ root, purge, config }), options, 'uninstall-service');
  if (!failed && !purge && options.json !== true) {
    write(`\nWhat stays: ${STATE_PATH}, ${config}, drop-ins, the user ${SERVICE_USER}. --purge removes them.`);
  }
  return failed ? EXIT_CAUSE_FOUND : EXIT_NOTHING_WRONG;
}

/** @throws InputError when the machine, or the user, is not one that can do it. */
function checkMachine(name: string, { root, dryRun = false }: InstallServiceOptions | UninstallServiceOptions): void {
  if (root !== '/') {
    if (existsSync(`${root}/etc`)) return;
    throw new InputError({ code: 'not-found', message: `${root} is not the root of a machine: it has no etc.` });
  }
  if (dryRun) return;
  if (process.getuid?.() !== 0) {
    throw new InputError({
      code: 'no-permission',
      message: `${name} changes /etc and the users of this machine, so it has to run as root.`,
      hint: `--dry-run shows what it would do.`,
    });
  }
  if (existsSync('/run/systemd/system')) return;
  const removes = name === 'uninstall-service';
  throw new InputError({
    code: 'no-systemd',
    message: removes
      ? 'This machine was not started by systemd, so that synscope has no service here.'
      : 'This machine was not started by systemd, whose service it would be.',
    hint: removes
      ? '--root FOLDER removes it from the image of a machine.'
      : 'docs/operations.md tells how to run "synscope watch" in a container, or under another init.',
  });
}

/** Takes the steps and tells of them. Returns whether one failed. */
async function take(
  steps: readonly Step[],
  { root, dryRun = false, json = false }: InstallServiceOptions | UninstallServiceOptions,
  name: string,
): Promise<boolean> {
  const onDone = (done: DoneStep): void => {
    if (!json) write(told(done, root, dryRun));
  };
  const done = await takeSteps(steps, { root, dryRun, onDone });
  const failed = done.some(({ step, outcome }) => outcome === 'failed' && !(step.kind === 'command' && step.mayFail));
  if (json) {
    write(JSON.stringify({ schemaVersion: 1, command: name, dryRun, root, failed, steps: done.map(asJson) }, null, 2));
  }
  return failed;
}

function told({ step, outcome, said }: DoneStep, root: string, dryRun: boolean): string {
  const verb = (
    outcome === 'planned'
      ? `would ${step.kind === 'command' ? 'run' : step.kind === 'remove' ? 'remove' : 'write'}`
      : outcome
  ).padEnd(dryRun ? 12 : 9);
  if (step.kind === 'command') {
    const line = `${verb} ${step.argv.map(word).join(' ')}`;
    const why = said === undefined ? ` (${step.why})` : `: ${said}`;
    return forTerminal(`${line}${why}`);
  }
  const path = forTerminal(`${verb} ${root === '/' ? '' : root}${step.path}`);
  if (!dryRun || step.kind !== 'file' || outcome !== 'planned') return path;
  return `${path}\n${step.text.trimEnd().replaceAll(/^/gm, '  | ')}`;
}

function word(text: string): string {
  return /^[\w./:=@+-]+$/.test(text) ? text : quoteForShell(text);
}

function asJson({ step, outcome, said }: DoneStep): object {
  const { kind } = step;
  const rest = said === undefined ? {} : { said };
  if (kind === 'command') return { kind, argv: step.argv, why: step.why, outcome, ...rest };
  if (kind === 'remove') return { kind, path: step.path, outcome };
  return {
    kind,
    path: step.path,
    mode: step.mode.toString(8),
    outcome,
    ...(outcome === 'planned' ? { text: step.text } : {}),
  };
}

async function staysUp(): Promise<boolean> {
  await sleep(SETTLE_MS);
  return (await runProcess(['systemctl', 'is-active', '--quiet', UNIT])).exitCode === 0;
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}
