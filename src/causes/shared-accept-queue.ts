import { type CauseEvidence, contradicts, type Remedy, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Listener, SocketOwner, SocketTable } from '../model/facts/sockets.ts';
import { processName } from './shared-listener.ts';
import { perSyn, type RefusalFacts, settledOtherwise } from './shared-refusal.ts';
import { expectedSyns, listenerRefusals, stoodStill } from './shared-silence.ts';

/** Whether the accept queue of a listener is full: `sk_acceptq_is_full()`, so that backlog + 1 connections fit. */
export function isFull({ acceptQueue, backlog }: Listener): boolean {
  return acceptQueue > backlog;
}

/**
 * A longer accept queue, for bursts: only a new listen() gets it (`inet_csk_listen_start()` copies the smaller of backlog and somaxconn),
 * so somaxconn alone never helps a listener that is there.
 */
export function longerQueue(listener: Listener | undefined, somaxconn: number): Remedy {
  const [owner] = listener?.owners ?? [];
  const who = owner?.name ?? 'the program';
  const backlog = listener?.backlog ?? 128;
  const wanted = Math.max(4096, backlog * 4);
  const base = { risk: 'low', auto: 'never' } as const;
  if (backlog < somaxconn) {
    return {
      ...base,
      id: 'raise-backlog',
      title: `Let ${who} ask for a longer queue, for bursts`,
      changes: [
        {
          kind: 'advice',
          text: `${who} gives listen() a backlog of ${backlog}, and net.core.somaxconn allows ${somaxconn}: raise it in the configuration of ${who}, and restart it.`,
        },
      ],
    };
  }
  const setting = { kind: 'sysctl', key: 'net.core.somaxconn', value: String(wanted) } as const;
  if (owner?.unit === undefined) {
    return {
      ...base,
      id: 'raise-somaxconn',
      title: `Allow longer queues, for bursts, and restart ${who}`,
      changes: [
        {
          kind: 'advice',
          text: `sysctl -w net.core.somaxconn=${wanted}, then restart ${who}: a listener keeps the queue that it got from listen(), so the setting alone changes nothing.`,
        },
      ],
    };
  }
  return {
    id: 'raise-somaxconn',
    title: `Allow longer queues, for bursts, and restart ${owner.unit}, which gets one only with a new listen()`,
    risk: 'medium',
    auto: 'with-consent',
    changes: [setting, { kind: 'service', unit: owner.unit, action: 'restart' }],
  };
}

/** The listeners that take the SYN and whose accept queue is full now. */
export function fullListeners(sockets: SocketTable): readonly Listener[] {
  return sockets.matching.filter(isFull);
}

/** `3 connections wait in a queue for 2`. */
export function queueState({ acceptQueue, backlog }: Listener): string {
  return `${acceptQueue} connection${acceptQueue === 1 ? '' : 's'} wait in an accept queue for ${backlog}`;
}

/** Why nobody of the processes that hold a listener can call accept() now. */
export type Hindrance = 'stopped' | 'out-of-files';

/** What keeps every process of a listener from accepting; undefined when one could, or none is known. */
export function hindranceOf({ owners }: Listener): Hindrance | undefined {
  if (owners.length === 0) return undefined;
  if (owners.every(isStopped)) return 'stopped';
  return owners.every((owner) => isStopped(owner) || isOutOfFiles(owner)) ? 'out-of-files' : undefined;
}

/** Whether a process cannot run at all: stopped by a signal or a debugger, or frozen. */
export function isStopped({ state, frozen }: SocketOwner): boolean {
  return state === 'T' || state === 't' || frozen === true;
}

/** Whether a process has as many files open as it may: its next accept() fails with EMFILE. */
export function isOutOfFiles({ openFiles, openFilesLimit }: SocketOwner): boolean {
  return openFiles !== undefined && openFilesLimit !== undefined && openFiles >= openFilesLimit;
}

/** How a process is kept from accepting, for a sentence. */
export function ownerState({ state, frozen, openFiles, openFilesLimit }: SocketOwner): string {
  if (frozen === true) return 'its cgroup is frozen';
  if (state === 't') return 'a debugger has stopped it (state t)';
  if (state === 'T') return 'it is stopped (state T)';
  return `it has ${openFiles} of ${openFilesLimit} files open`;
}

/** The full members of a SO_REUSEPORT group of which others have room: the kernel goes on giving them their share of the SYNs. */
export function stuckMembers(sockets: SocketTable): readonly Listener[] {
  const groups = Map.groupBy(sockets.matching, ({ address, device, family }) => `${family} ${address} ${device ?? ''}`);
  return [...groups.values()].flatMap((group) => {
    const full = group.filter(isFull);
    return full.length < group.length ? full : [];
  });
}

/**
 * What says that the accept queue was full for the SYNs of this attempt, whatever the reason: the queue now, and `ListenOverflows`.
 * Conclusive evidence comes only with a growth that fits, or with the state alone when the SYN is only supposed.
 */
export function overflowEvidence(facts: RefusalFacts & { readonly sockets: SocketTable }): CauseEvidence[] {
  const settled = settledOtherwise(facts);
  if (settled !== undefined) return [...settled];
  const { attempt, counters, sockets } = facts;
  const [full] = fullListeners(sockets);
  const state = full === undefined ? undefined : `${queueState(full)} of ${processName(full)}`;
  if (!watched(attempt, counters)) {
    if (state !== undefined) {
      // A SYN that is only supposed may go to another member of the group, which has room.
      const every = sockets.matching.every(isFull);
      return [supports(every && !attempt.observed ? 'conclusive' : 'strong', 'sockets', state)];
    }
    return [contradicts('conclusive', 'sockets', emptyState(sockets))];
  }
  const overflows = grown(counters, 'TcpExtListenOverflows');
  if (overflows === 0) {
    const still = contradicts('conclusive', 'counters', 'ListenOverflows +0: no accept queue overflowed');
    if (stoodStill(counters, 'TcpExtListenOverflows')) return [still];
    return [contradicts('strong', 'counters', 'no overflow of an accept queue was counted')];
  }
  const evidence: CauseEvidence[] = [];
  const fits = overflows >= expectedSyns(attempt);
  const said = formatGrowths(counters, ['TcpExtListenOverflows', 'TcpExtListenDrops']);
  if (state !== undefined) {
    evidence.push(supports(fits ? 'conclusive' : 'strong', 'sockets', state));
    evidence.push(supports('strong', 'counters', fits ? `${said}: ${perSyn(attempt, [overflows])}` : said));
    return evidence;
  }
  // It has drained since. Then only counters speak, and those of the listener itself must go with those of the namespace.
  const refused = listenerRefusals(sockets);
  const everyDrop = overflows === grown(counters, 'TcpExtListenDrops') && (refused ?? 0) >= 1;
  const now = `${said}; ${emptyState(sockets)} now`;
  if (refused === 0) {
    return [
      contradicts('strong', 'sockets', `the listener itself refused nothing (sk_drops +0); ${emptyState(sockets)}`),
    ];
  }
  evidence.push(supports(fits && everyDrop ? 'conclusive' : 'strong', 'counters', now));
  return evidence;
}

function emptyState({ matching }: SocketTable): string {
  const [first] = matching;
  return first === undefined ? 'no listener' : `${first.acceptQueue} of ${first.backlog} wait in the accept queue`;
}
