import { setTimeout as sleep } from 'node:timers/promises';
import { parseNftTrace } from '../formats/nft/trace.ts';
import { type Host, HostError, type HostStream } from '../host/host.ts';
import type { Attempt, Side } from '../model/facts/attempt.ts';
import type { Fact } from '../model/facts/fact.ts';
import type { FilteredPacket } from '../model/facts/packet-filter.ts';
import type { RuleTrace } from '../model/facts/rule-trace.ts';
import { unavailableFrom } from './facts/collector.ts';

/** A trace of the packet filter that runs. */
export interface RuleTraceWatch {
  /** What became of the packets of an attempt. */
  trace(attempt: Attempt): Fact<RuleTrace>;
  /** Takes the rules away again. */
  stop(): Promise<void>;
}

/**
 * $1 is the table, $2 what makes it. The table goes with the monitor, however that ends: on a signal, and when nobody reads any more.
 */
const SCRIPT = `trap 'exit 143' TERM INT HUP
trap 'kill $! 2>/dev/null; nft delete table inet "$1"' EXIT
nft "$2" || exit
nft -a monitor trace &
wait $!`;
/** Text of the trace that is kept: the latest. */
const MAX_CHARACTERS = 4_000_000;
/** The monitor listens so long after it was started. */
const START_MS = 150;
/** At most so many packets a second are traced: a trace of a flood would be a load of its own. */
const LIMIT = 'limit rate 50/second burst 100 packets';

/**
 * Lets the kernel tell which rule ends the way of SYNs and SYN-ACKs of a port: puts a table of its own into nftables that marks them
 * (`meta nftrace set 1`) and changes nothing else, and removes it afterwards. Only for who allowed it.
 */
export async function watchRules(host: Host, side: Side, port: number): Promise<RuleTraceWatch> {
  const table = `synscope_trace_${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(16)}`;
  const stream = host.stream(['sh', '-c', SCRIPT, 'sh', table, traceTable(table, side, port)]);
  let text = '';
  let failed: HostError | undefined;
  const pumping = pump(stream, (more) => {
    text = (text + more).slice(-MAX_CHARACTERS);
  }).catch((error: unknown) => {
    if (!(error instanceof HostError)) throw error;
    failed = error;
  });
  await Promise.race([sleep(START_MS), pumping]);
  return {
    trace(attempt) {
      if (failed !== undefined) return unavailableFrom(failed);
      return { value: tracedPackets(text, attempt), source: 'nft monitor trace' };
    },
    async stop() {
      stream.stop();
      await pumping;
    },
  };
}

function traceTable(table: string, side: Side, port: number): string {
  const [arriving, leaving] = side === 'server' ? ['dport', 'sport'] : ['sport', 'dport'];
  const rule = (chain: string, end: string): string =>
    `add rule inet ${table} ${chain} tcp ${end} ${port} tcp flags & (syn|rst) == syn ${LIMIT} meta nftrace set 1`;
  return [
    `add table inet ${table}`,
    `add chain inet ${table} in { type filter hook prerouting priority -500; }`,
    `add chain inet ${table} out { type filter hook output priority -500; }`,
    rule('in', arriving),
    rule('out', leaving),
  ].join('; ');
}

async function pump({ chunks }: HostStream, add: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of chunks) add(decoder.decode(chunk, { stream: true }));
}

function tracedPackets(text: string, { client, server, side }: Attempt): RuleTrace {
  const [syn, synAck]: [FilteredPacket, FilteredPacket] =
    side === 'server' ? ['syn-in', 'syn-ack-out'] : ['syn-out', 'syn-ack-in'];
  return {
    packets: parseNftTrace(text).flatMap(({ source, sourcePort, destination, destinationPort, flags, end }) => {
      const from = (one: Attempt['client']): boolean => one.address === source && one.port === sourcePort;
      const to = (one: Attempt['client']): boolean => one.address === destination && one.port === destinationPort;
      const acks = flags.includes('ack');
      const packet =
        from(client) && to(server) && !acks ? syn : from(server) && to(client) && acks ? synAck : undefined;
      return packet === undefined ? [] : [{ packet, ...(end === undefined ? {} : { end }) }];
    }),
  };
}
