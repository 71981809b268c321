/**
 * Tries what the watch does, with the rights that this process has; prints each thing as `name ok` or `name reason`. Started by
 * deploy-rights.test.ts. Arguments: name of a network namespace, id of a process of root in a namespace of its own that listens.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import process from 'node:process';
import type { Host } from '../src/host/host.ts';
import { openHost } from '../src/host/open-host.ts';

const [, , namespace = '', pid = ''] = process.argv;
const TRIES: readonly (readonly [name: string, attempt: () => Promise<unknown>])[] = [
  ['capture', () => on('local', capture)],
  ['capture-in-namespace', () => on(`netns:${namespace}`, capture)],
  ['capture-in-container', () => on(`pid:${pid}`, capture)],
  ['find-namespace', async () => readlinkSync(`/proc/${pid}/ns/net`)],
  ['rules', () => on('local', (host) => succeeds(host, ['nft', '-j', 'list', 'ruleset']))],
  ['policies', () => on('local', (host) => succeeds(host, ['ip', 'xfrm', 'policy']))],
  ['set', () => on(`netns:${namespace}`, (host) => succeeds(host, ['sysctl', '-w', 'net.ipv4.tcp_syn_retries=5']))],
  [
    'route',
    () => on(`netns:${namespace}`, (host) => succeeds(host, ['ip', 'route', 'replace', '192.0.2.0/24', 'dev', 'lo'])),
  ],
  ['container-names', () => on(`pid:${pid}`, (host) => host.readFile('/etc/hosts'))],
  ['owner', () => on(`netns:${namespace}`, readOwner)],
  ['open-files', () => on('local', (host) => succeeds(host, ['find', `/proc/${pid}/fd`, '-maxdepth', '1']))],
  ['limits', async () => readFileSync(`/proc/${pid}/limits`)],
];

for (const [name, attempt] of TRIES) {
  const answer = await attempt().then(
    () => 'ok',
    (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : String(error)),
  );
  process.stdout.write(`${name} ${answer}\n`);
}

async function on<T>(spec: string, use: (host: Host) => Promise<T>): Promise<T> {
  const host = await openHost(spec);
  try {
    return await use(host);
  } finally {
    await host.close();
  }
}

async function capture(host: Host): Promise<void> {
  const running = await host.capture({ port: 443 });
  await running.ready;
  running.stop(true);
}

async function succeeds(host: Host, argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run(argv);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
}

async function readOwner(host: Host): Promise<void> {
  const listeners = await succeeds(host, ['ss', '-Hltnp']);
  if (!listeners.includes(`pid=${pid},`)) throw new Error('the process of the listener is not told');
}
