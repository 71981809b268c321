/**
 * Makes a repair on another machine that breaks, or would break, the connection through which it is made; run by test/fix-ssh.test.ts in the
 * namespace of the client: `node fix-own-path.ts HOST link|route`. Prints what came of it as JSON.
 */
import process from 'node:process';
import { openHost } from '../src/host/open-host.ts';
import type { Change } from '../src/model/cause.ts';
import { Journal } from '../src/remedy/journal/journal.ts';
import { kindOf } from '../src/remedy/kinds/index.ts';
import { readOwnPath } from '../src/remedy/own-path.ts';
import { makeRepair, newRepairId } from '../src/remedy/repair.ts';

const [, , spec = '', what] = process.argv;
const host = await openHost(spec);
const path = await readOwnPath(host);
const change: Change =
  what === 'link'
    ? { kind: 'link', device: path?.device ?? '', setting: ['down'] }
    : { kind: 'route', action: 'add', family: 4, type: 'unreachable', destination: `${path?.peer}/32` };
const id = newRepairId();
const step = await kindOf(change).prepare(host, change, { id });
try {
  const { outcome, statement } = await makeRepair({
    ...{ host, journal: new Journal(), id, by: 'person', causeId: 'no-return-route', remedyId: 'test' },
    ...{ title: 'Cut the own connection', target: { side: 'server', port: 443 }, steps: [step], how: 'not at all' },
    verify: async () => ({ helped: true, statement: 'it is taken to help' }),
    verifySeconds: 1,
  });
  console.log(JSON.stringify({ path, outcome, statement }));
} catch (error) {
  console.log(JSON.stringify({ path, refused: (error as Error).message }));
} finally {
  await host.close();
}
