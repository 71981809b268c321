import type { CaptureReport } from '../../model/diagnosis.ts';
import { capture, report } from './build.ts';
import { floodGroup, halfOpenGroup, refusedGroup, routerGroup, scanGroup, silentGroup } from './sample-groups.ts';
import { answerLost, middleboxReset, serverSilent } from './sample-paths.ts';

/** One IPv6 client whose four SYNs stay without an answer. */
export const noReply: CaptureReport = report({
  headline: '[2001:db8:2::2]:443 does not answer 2001:db8:1::2: 4 SYNs in 7.08 s, nothing came back.',
  groups: [silentGroup],
  summary: { handshakes: 1, failed: 1, outcomes: { 'no-reply': 1 }, late: 0 },
});

/** A busy capture with every kind of failure, notes, and a limit that was hit. */
export const mixed: CaptureReport = report({
  headline: '6 servers could not be reached; most often [2001:db8:2::2]:443, which does not answer (1 of 1 attempt).',
  captures: [
    capture('client.pcapng', 1_284_112, {
      compression: 'gzip',
      notes: [
        {
          code: 'kernel-drops',
          statement: 'The kernel dropped 412 packets before they were captured.',
          hint: 'capture with a larger buffer, tcpdump -B 16384',
        },
      ],
    }),
  ],
  groups: [silentGroup, refusedGroup, routerGroup, halfOpenGroup, floodGroup, scanGroup],
  omittedDiagnoses: 4093,
  summary: {
    handshakes: 20_431,
    failed: 5330,
    outcomes: {
      'no-reply': 5200,
      refused: 128,
      unreachable: 1,
      'half-open': 1,
      established: 15_090,
      'in-progress': 11,
    },
    late: 37,
  },
  notes: [
    {
      code: 'one-direction',
      statement: 'Only packets toward 192.0.2.77 were captured; what it answered cannot be seen.',
      hint: 'capture on the other link as well',
    },
  ],
});

/** Two captures with skewed clocks; the SYN-ACK leaves the server and never reaches the client. */
export const compareAnswerLost: CaptureReport = report({
  command: 'compare',
  headline:
    'The answers of 192.0.2.10:443 get lost between server.pcap and client.pcap: 3 SYN-ACKs left, none arrived.',
  captures: [capture('client.pcap', 420, { format: 'pcap' }), capture('server.pcap', 9120, { format: 'pcap' })],
  groups: [answerLost],
  summary: { handshakes: 12, failed: 1, outcomes: { 'no-reply': 1, established: 11 }, late: 0 },
  clocks: [
    {
      capture: 'server.pcap',
      offsetNs: -1_734_000_000n,
      uncertaintyNs: 210_000n,
      driftPpm: 3.2,
      samples: 44,
      confidence: 'certain',
      statement: 'The clock of server.pcap is 1.734 s ahead of client.pcap (± 0.21 ms, from 44 packets).',
    },
  ],
});

/** Three captures, long names, NAT on the way; a middlebox resets the connection. */
export const compareMiddlebox: CaptureReport = report({
  command: 'compare',
  headline:
    'Something between firewall-inside.pcapng and firewall-outside.pcapng refuses 192.0.2.10:8443 with a reset.',
  captures: [
    capture('captures/site-a/client.pcapng', 420),
    capture('captures/site-a/firewall-inside.pcapng', 99_120),
    capture('captures/site-a/firewall-outside.pcapng', 99_020),
  ],
  groups: [middleboxReset],
  summary: { handshakes: 3, failed: 1, outcomes: { refused: 1, established: 2 }, late: 0 },
});

/** Two captures; every SYN reaches the server's host, which stays silent. */
export const compareServerSilent: CaptureReport = report({
  command: 'compare',
  headline: 'The SYNs reach [2001:db8:2::2]:443, and its host sends nothing back.',
  captures: [capture('client.pcapng', 42), capture('server.pcapng', 88)],
  groups: [serverSilent],
  summary: { handshakes: 1, failed: 1, outcomes: { 'no-reply': 1 }, late: 0 },
});

/** Nothing failed. */
export const allFine: CaptureReport = report({
  headline: 'All 412 handshakes were completed.',
  groups: [],
  summary: { handshakes: 412, failed: 0, outcomes: { established: 412 }, late: 0 },
});

/** Every sample by the name of its golden file. */
export const samples: Readonly<Record<string, CaptureReport>> = {
  'no-reply': noReply,
  mixed,
  'compare-answer-lost': compareAnswerLost,
  'compare-middlebox': compareMiddlebox,
  'compare-server-silent': compareServerSilent,
  'all-fine': allFine,
};
