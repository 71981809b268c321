import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';

/** Whether a machine has a group of its own (group(5)), not one of a directory service. */
export function hasGroup(root: string, name: string): boolean {
  return findGroup(root, name) !== undefined;
}

/** The number of a group. @throws InputError when there is none. */
export function groupId(root: string, name: string): number {
  const id = findGroup(root, name);
  if (id !== undefined) return id;
  throw new InputError({ code: 'not-found', message: `There is no group ${name} in ${join(root, 'etc/group')}.` });
}

function findGroup(root: string, name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(join(root, 'etc/group'), 'utf8');
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
  const fields = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([group]) => group === name);
  return fields?.[2] === undefined || !/^\d+$/.test(fields[2]) ? undefined : Number(fields[2]);
}
