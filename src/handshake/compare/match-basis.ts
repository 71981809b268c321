/** How an attempt was recognised in another capture, best first. */
export const BASIS_ISN = 1;
/** Addresses and ports agree, the ISN does not; a TSval of a SYN does. */
export const BASIS_TUPLE_TSVAL = 2;
/** Addresses, ports and time agree, the ISN does not. */
export const BASIS_TUPLE_TIME = 3;
/** The ISN agrees, little else does: by time. */
export const BASIS_ISN_TIME = 4;
/** Addresses and ISN differ: by TSval, options and time. */
export const BASIS_TSVAL = 5;
/** Addresses, ISN and timestamps differ or are absent: by server, options and time. */
export const BASIS_OPTIONS = 6;

/** How far a match may be trusted. */
export function basisConfidence(basis: number): 'certain' | 'likely' | 'guess' {
  if (basis === BASIS_ISN) return 'certain';
  return basis <= BASIS_ISN_TIME ? 'likely' : 'guess';
}

/** What differs between two sightings of one attempt. */
export interface MatchDifference {
  readonly client: boolean;
  readonly server: boolean;
  readonly serverPort: boolean;
  readonly tsvalAgrees: boolean;
}

/** Says in words how an attempt was recognised. */
export function describeBasis(basis: number, { client, server, serverPort, tsvalAgrees }: MatchDifference): string {
  const translated: string[] = [];
  if (client) translated.push('source');
  if (server) translated.push('destination');
  const nat =
    translated.length > 0
      ? `; ${translated.join(' and ')} address translated`
      : serverPort
        ? '; destination port translated'
        : '';
  switch (basis) {
    case BASIS_ISN:
      return tsvalAgrees ? `same ISN and TSval${nat}` : `same ISN${nat}`;
    case BASIS_TUPLE_TSVAL:
      return 'same addresses, ports and TSval; ISN rewritten';
    case BASIS_TUPLE_TIME:
      return 'same addresses, ports and time; ISN rewritten';
    case BASIS_ISN_TIME:
      return `same ISN and time${nat}`;
    case BASIS_TSVAL:
      return `same TSval, options and time; ISN rewritten${nat}`;
    default:
      return `same options and time; ISN rewritten${nat}`;
  }
}
