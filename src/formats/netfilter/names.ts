import { type Doubt, type Truth, UNKNOWN } from './truth.ts';

/** Name of a device: one of these, for certain; `''` stands for no device. Undefined: nobody knows. */
export type Names = readonly string[] | undefined;

/** No device: what the input device of a packet is that this host sends. */
export const NO_DEVICE: Names = [''];

/** Whether the name passes a test, whichever of the candidates it is. */
export function testNames(names: Names, test: (name: string) => boolean, doubt: Doubt = UNKNOWN): Truth {
  if (names === undefined || names.length === 0) return doubt;
  const first = test(names[0]!);
  return names.every((name) => test(name) === first) ? first : doubt;
}

/** What is known when it is one or the other. */
export function eitherNames(a: Names, b: Names): Names {
  if (a === undefined || b === undefined) return undefined;
  return a === b ? a : [...new Set([...a, ...b])];
}
