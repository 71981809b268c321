import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root, run, runCli } from './run-cli.ts';

const readme = readFileSync(`${root}README.md`, 'utf8');
const screens = [
  ...readme.matchAll(/<!-- screen: \.\/synscope (.+) -->\n```console\n\$ .+\n\n([\s\S]*?)\n```\n<!-- end/g),
];

it('shows at least one screen', () => {
  expect(screens.length).toBeGreaterThan(0);
});

it.each(
  screens.map(([, args, shown]) => ({ args: args!, shown: shown! })),
)('shows what synscope $args prints (node scripts/readme-screen.ts writes it)', ({ args, shown }) => {
  expect(runCli(args.split(' '), { COLUMNS: '100' }).stdout.trim()).toBe(shown);
});

it('names only files that exist', () => {
  const { stdout } = run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], root);
  const files = new Set(stdout.split('\n'));
  for (const [, target] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
    expect(
      [...files].some((file) => file === target || file.startsWith(`${target}/`)),
      target,
    ).toBe(true);
  }
});
