import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectOutcome, type Host, HostError } from '../../host/host.ts';
import type { PathProbe } from '../../model/facts/client.ts';
import type { Handshake } from '../../model/handshake.ts';

/** Routers between the ends that are looked for at most. */
const MAX_HOPS = 16;
const PROBE_TIMEOUT_MS = 700;
const SETTLE_MS = 30;
/** An ICMP error that connect() has reported is in the capture within this time, also on a busy host. */
const REPORTED_WITHIN_MS = 500;
/** A port that hardly anything listens on: chosen from the end of the range that IANA leaves to private use (RFC 6335). */
const CLOSED_PORTS = [64_879, 61_103];

/** Attempts of the watch by the client's port: the ICMP errors that answered probes are found there. */
export type AttemptsByPort = (clientPort: number) => Handshake | undefined;

/**
 * Asks a silent server more: does a closed port answer, does it answer an echo request, how far do SYNs come? These narrow
 * the place of the fault, never the cause.
 */
export async function probePath(
  host: Host,
  address: string,
  port: number,
  attempts: AttemptsByPort,
): Promise<PathProbe> {
  const [closedPort, echo, hops] = await Promise.all([
    probeClosedPort(host, address, port),
    probeEcho(host, address),
    probeHops(host, address, port, attempts),
  ]);
  return { hops, ...(closedPort === undefined ? {} : { closedPort }), ...(echo === undefined ? {} : { echo }) };
}

async function probeClosedPort(host: Host, address: string, port: number): Promise<PathProbe['closedPort']> {
  const other = CLOSED_PORTS.find((candidate) => candidate !== port) ?? 1;
  try {
    const { errno } = await host.connect({ address, port: other, timeoutMs: PROBE_TIMEOUT_MS });
    const answer =
      errno === undefined ? 'syn-ack' : errno === 'ECONNREFUSED' ? 'rst' : errno === 'TIMEDOUT-LOCAL' ? 'none' : 'icmp';
    return { port: other, answer };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return undefined;
  }
}

async function probeEcho(host: Host, address: string): Promise<PathProbe['echo']> {
  try {
    const { exitCode, stdout } = await host.run(['ping', '-n', '-c', '1', '-W', '1', address], { timeoutMs: 3000 });
    if (exitCode === 0) return 'reply';
    return /unreachable|prohibited|exceeded/i.test(stdout) ? 'unreachable' : 'none';
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return undefined;
  }
}

/** SYNs with a TTL of 1, 2, 3, ...: the routers in which they die say so (as traceroute does). */
export async function probeHops(
  host: Host,
  address: string,
  port: number,
  attempts: AttemptsByPort,
  { maxHops = MAX_HOPS, timeoutMs = PROBE_TIMEOUT_MS }: { readonly maxHops?: number; readonly timeoutMs?: number } = {},
): Promise<PathProbe['hops']> {
  const ttls = Array.from({ length: maxHops }, (_, index) => index + 1);
  try {
    const outcomes = await Promise.all(ttls.map((ttl) => host.connect({ address, port, ttl, timeoutMs })));
    const seenOf = ({ local }: ConnectOutcome): Handshake | undefined =>
      local === undefined ? undefined : attempts(local.port);
    const isAwaited = (outcome: ConnectOutcome): boolean => {
      const seen = seenOf(outcome);
      return seen !== undefined && /^E(HOST|NET)UNREACH$/.test(outcome.errno ?? '') && errorIn(seen) === undefined;
    };
    // The errors are still on their way through the ring of the capture.
    const untilMs = performance.now() + REPORTED_WITHIN_MS;
    do await sleep(SETTLE_MS);
    while (outcomes.some(isAwaited) && performance.now() < untilMs);
    const hops = outcomes.map((outcome, index): PathProbe['hops'][number] => {
      const { errno } = outcome;
      const ttl = index + 1;
      const seen = seenOf(outcome);
      const segment = errorIn(seen);
      if (segment?.icmp !== undefined) {
        const rttMs = Number(segment.timeNs - (seen?.startedAtNs ?? segment.timeNs)) / 1e6;
        const exceeded = segment.icmp.version === 4 ? segment.icmp.type === 11 : segment.icmp.type === 3;
        return { ttl, address: segment.icmp.from, rttMs, answer: exceeded ? 'time-exceeded' : 'unreachable' };
      }
      return { ttl, answer: errno === undefined ? 'syn-ack' : errno === 'ECONNREFUSED' ? 'rst' : 'none' };
    });
    const lastAnswer = hops.findLastIndex(({ answer }) => answer === 'time-exceeded');
    return hops.slice(0, lastAnswer + 2);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return [];
  }
}

/** The first ICMP error that answered an attempt. */
function errorIn(seen: Handshake | undefined): Handshake['segments'][number] | undefined {
  return seen?.segments.find(({ icmp }) => icmp !== undefined);
}
