/** Writes what a command really prints into README.md, between the markers that name the command. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = `${root}README.md`;
const screen = /(<!-- screen: (.+) -->\n)[\s\S]*?(<!-- end of screen -->)/g;

writeFileSync(file, withScreens(readFileSync(file, 'utf8')));

/** The text with every screen replaced by what its command prints now. */
function withScreens(text: string): string {
  return text.replace(screen, (_, begin: string, command: string, end: string) => {
    return `${begin}\`\`\`console\n$ ${command}\n\n${runCommand(command).trim()}\n\`\`\`\n${end}`;
  });
}

function runCommand(command: string): string {
  const [program, ...args] = command.split(' ');
  const { stdout, stderr, error } = spawnSync(program!, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '100' },
  });
  if (error !== undefined || stdout === '') throw new Error(`${command} printed nothing: ${error?.message ?? stderr}`);
  return stdout;
}
