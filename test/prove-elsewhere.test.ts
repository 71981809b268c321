import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT_V4,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
} from '../src/host/testing/namespaces.ts';
import { sshMissing } from '../src/host/testing/ssh-server.ts';
import type { Proof } from '../src/model/proof.ts';
import { inside, listenIn } from '../src/twin/testing/real-server.ts';
import { type CliRun, root, run, runCli } from './run-cli.ts';
import { type SshNetwork, startSshNetwork } from './trace-ssh.ts';

const missing = namespacesMissing() ?? sshMissing();
if (missing !== undefined) console.log(`skipped: proofs from elsewhere (${missing})`);

const PORT = 8083;
/** Not on the link of the server. */
const FAR = '198.51.100.7';

interface Verdict {
  readonly status: number | null;
  readonly outcome: Proof['outcome'] | undefined;
  readonly cause: string | undefined;
  readonly guilty: readonly string[];
}

describe.skipIf(missing !== undefined)('prove from elsewhere', { timeout: 600_000 }, () => {
  let pair: NamespacePair;
  let ssh: SshNetwork;
  let folder: string;
  let stop: () => void;
  const mend: (() => void)[] = [];

  beforeAll(async () => {
    pair = makeNamespacePair('sype');
    folder = mkdtempSync(join(tmpdir(), 'synscope-elsewhere-'));
    stop = listenIn(pair.server, '::', PORT);
    inside(pair.server, ['ip', 'route', 'add', 'default', 'via', CLIENT_V4]);
    inside(pair.server, ['ping', '-c1', '-W2', CLIENT_V4]);
    ssh = await startSshNetwork([pair.server]);
  }, 120_000);
  afterEach(() => {
    for (const undo of mend.splice(0)) undo();
  });
  afterAll(async () => {
    try {
      await ssh?.stop();
    } finally {
      stop?.();
      pair?.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function read({ status, stdout, stderr }: CliRun): Verdict {
    expect(stdout, stderr).not.toBe('');
    const report = JSON.parse(stdout) as { diagnoses: { proof?: Proof; cause: { id: string } | null }[] };
    const [{ proof, cause } = { cause: null }] = report.diagnoses;
    const guilty = (proof?.guilty ?? []).map(({ kind, element, change }) => `${kind} ${element} ${change}`);
    return { status, outcome: proof?.outcome, cause: cause?.id, guilty };
  }

  /** What all ways to look at the server say of a SYN. */
  function everyWay(): readonly Verdict[] {
    const file = join(folder, 'server.syn');
    rmSync(file, { force: true });
    rmSync(join(folder, 'tun'), { force: true });
    const argv = ['prove', `${SERVER_V4}:${PORT}`, '--from', FAR, '--json', '--on'];
    const recorded = runCli([
      ...['record', '-o', file, '--for', '0', '--port', String(PORT), '--from', FAR],
      ...['--on', `netns:${pair.server}`],
    ]);
    expect(recorded.status, recorded.stderr).toBe(0);
    // Whose recording it is may read it; here that is somebody else.
    chmodSync(file, 0o644);
    // Nobody, on a machine that lets everybody make network devices of their own, as most do.
    const asNobody = [
      ...['--mount', 'sh', '-c'],
      'mknod "$0/tun" c 10 200 && chmod 0666 "$0/tun" && mount --bind "$0/tun" /dev/net/tun && chmod 0755 "$0" && exec "$@"',
      ...[folder, 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all'],
      ...['--bounding-set=-all', process.execPath, join(root, 'src/cli/main.ts'), ...argv, `bundle:${file}`],
    ];
    return [
      read(runCli([...argv, `netns:${pair.server}`])),
      read(runCli([...argv, `ssh:${pair.server}`], ssh.env)),
      read(runCli([...argv, `bundle:${file}`])),
      read(run('unshare', asNobody, root, { HOME: folder })),
    ];
  }

  it('says the same of a rule over ssh, from a recording, and without root', () => {
    const rules = `table inet fw { chain input { type filter hook input priority 0; tcp dport ${PORT} drop; }; }\n`;
    inside(pair.server, ['nft', '-f', '-'], rules);
    mend.push(() => inside(pair.server, ['nft', 'flush', 'ruleset']));
    const [here, ...others] = everyWay();
    expect(here).toMatchObject({ status: 1, outcome: 'proven', cause: 'netfilter-drop-in' });
    expect(here?.guilty).toEqual([expect.stringMatching(/^nft-rule inet fw input handle \d+ removed$/)]);
    expect(others).toEqual([here, here, here]);
  });

  it.skipIf(process.env.FULL !== '1')('says the same of a host that answers', () => {
    const [here, ...others] = everyWay();
    expect(here).toEqual({ status: 0, outcome: 'acquitted', cause: undefined, guilty: [] });
    expect(others).toEqual([here, here, here]);
  });

  it('proves what a router does not pass on', () => {
    inside(pair.server, ['ip', 'link', 'add', 'west', 'type', 'veth', 'peer', 'name', 'west-peer']);
    mend.push(() => inside(pair.server, ['ip', 'link', 'del', 'west']));
    for (const name of ['west', 'west-peer']) inside(pair.server, ['ip', 'link', 'set', name, 'up']);
    inside(pair.server, ['ip', 'addr', 'add', '10.79.0.1/24', 'dev', 'west']);
    const argv = ['prove', '10.79.0.9:80', '--as', 'router', '--from', CLIENT_V4, '--json'];
    const on = ['--on', `netns:${pair.server}`];
    expect(read(runCli([...argv, ...on]))).toMatchObject({
      status: 1,
      cause: 'router-forwarding-off',
      guilty: [expect.stringContaining('forward')],
    });
    inside(pair.server, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    mend.push(() => inside(pair.server, ['sysctl', '-qw', 'net.ipv4.ip_forward=0']));
    expect(read(runCli([...argv, ...on]))).toMatchObject({ status: 0, outcome: 'acquitted' });
  });

  it('proves what keeps a client from connecting', () => {
    const argv = ['prove', `${SERVER_V4}:${PORT}`, '--as', 'client', '--json', '--on', `netns:${pair.client}`];
    expect(read(runCli(argv))).toMatchObject({ status: 0, outcome: 'acquitted' });
    const rules = `table inet fw { chain out { type filter hook output priority 0; tcp dport ${PORT} drop; }; }\n`;
    inside(pair.client, ['nft', '-f', '-'], rules);
    mend.push(() => inside(pair.client, ['nft', 'flush', 'ruleset']));
    expect(read(runCli(argv))).toMatchObject({
      status: 1,
      cause: 'client-output-drop',
      guilty: [expect.stringMatching(/^nft-rule inet fw out handle \d+ removed$/)],
    });
  });
});
