import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { namespacesMissing } from '../host/testing/namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: copies in namespaces that have devices already (${missing})`);

it.skipIf(missing !== undefined)(
  'a copy is made around devices that the namespace has by itself',
  () => {
    const program = fileURLToPath(new URL('./testing/build-beside.ts', import.meta.url));
    const output = execFileSync('unshare', ['--net', '--', process.execPath, '--no-warnings', program], {
      encoding: 'utf8',
    });
    expect(JSON.parse(output)).toEqual({
      names: ['eth0', 'tunl0'],
      indexesAreReal: true,
      moved: true,
      reply: 'rst',
      notCopied: [],
    });
  },
  60_000,
);
