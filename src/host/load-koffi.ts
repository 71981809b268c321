import { createRequire } from 'node:module';
import process from 'node:process';

/** The library that calls C functions. */
export type Koffi = typeof import('koffi');

/** The releases whose compiled part is used as it is; a newer one may need what its scripts add. */
const KNOWN_RELEASES = /^3\./;

/**
 * Loads koffi: its compiled part for this platform where that is at hand, as the scripts around it, which only find that part and warn of
 * functions that are out of date, take three quarters of the time.
 */
export function loadKoffi(): Koffi {
  const require = createRequire(import.meta.url);
  try {
    const compiled = require(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi & {
      readonly version: string;
    };
    if (KNOWN_RELEASES.test(compiled.version)) return compiled;
  } catch {
    // Then koffi looks for it in other places, and says what is wrong.
  }
  return require('koffi') as Koffi;
}
