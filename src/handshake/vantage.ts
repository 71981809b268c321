import type { Handshake, Segment } from '../model/handshake.ts';

/** Where a capture was most likely made, seen from one handshake. */
export type Vantage = 'client' | 'server' | 'between' | 'unknown';

/** TTLs that systems start with: Linux and macOS 64, Windows 128, network gear 255, some old systems 32. */
const INITIAL_TTLS = [32, 64, 128, 255];

/** Routers between a sender and the capture, by the next larger usual initial TTL. */
export function hopsAway(ttl: number): number {
  return (INITIAL_TTLS.find((initial) => initial >= ttl) ?? 255) - ttl;
}

/**
 * Tells at which end a handshake was captured: by what the capture itself records of in and out, otherwise by the TTLs: a packet
 * that still has an initial TTL has crossed no router.
 */
export function vantageOf(handshake: Handshake): Vantage {
  const syn = handshake.segments.find((segment) => segment.kind === 'syn' && segment.direction === 'to-server');
  const answer = handshake.segments.find(
    (segment) => segment.direction === 'to-client' && (segment.kind === 'syn-ack' || segment.kind === 'ack'),
  );
  return recordedVantage(syn, answer) ?? ttlVantage(syn, answer);
}

function recordedVantage(syn: Segment | undefined, answer: Segment | undefined): Vantage | undefined {
  const forwarded = (syn?.copies ?? 0) > 0 || (answer?.copies ?? 0) > 0;
  if (forwarded) return undefined;
  if (syn?.seen === 'outgoing' && syn.ttl > 0 && hopsAway(syn.ttl) === 0) return 'client';
  if (answer?.seen === 'outgoing' && hopsAway(answer.ttl) === 0) return 'server';
  return undefined;
}

function ttlVantage(syn: Segment | undefined, answer: Segment | undefined): Vantage {
  const fromClient = syn === undefined ? undefined : hopsAway(syn.ttl);
  const fromServer = answer === undefined ? undefined : hopsAway(answer.ttl);
  if (fromClient === 0 && fromServer !== 0 && fromServer !== undefined) return 'client';
  if (fromServer === 0 && fromClient !== 0 && fromClient !== undefined) return 'server';
  if (fromClient !== undefined && fromServer !== undefined && fromClient > 0 && fromServer > 0) return 'between';
  return 'unknown';
}
