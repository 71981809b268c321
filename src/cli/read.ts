import type { CaptureReport } from '../model/diagnosis.ts';
import { attemptFilter, CAPTURE_OPTIONS, type CaptureCommandOptions } from './capture-options.ts';
import { type Command, EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, UsageError } from './command.ts';
import { interruptSignal } from './interrupt.ts';
import { checkOutputFiles } from './output-files.ts';

/** A page or a terminal list is bounded unless the user says otherwise; JSON is not. */
const DEFAULT_LIST_LIMIT = 2000;

export const command: Command = {
  name: 'read',
  argument: '<capture>',
  argumentDescription: 'pcap or pcapng file, plain, gzip or zstd; - reads standard input as it arrives',
  summary: 'handshakes in a capture, failures first',
  examples: [
    ['synscope read trace.pcapng', 'what failed in this capture, and how'],
    ["ssh web7 tcpdump -U -s 160 -w - 'tcp or icmp or icmp6' | synscope read -", 'a live capture; Ctrl-C ends it'],
    ['synscope read trace.pcap --port 443 --json', 'the same for scripts'],
    ['synscope read trace.pcap --annotate out.pcapng', 'the verdicts as comments for Wireshark'],
  ],
  options: CAPTURE_OPTIONS,
  async run([name = '-', ...more], given) {
    const options = given as unknown as CaptureCommandOptions;
    if (more.length > 0) {
      throw new UsageError('read takes one capture; for several points of one path: synscope compare A B');
    }
    checkOutputFiles(options, [name]);
    const { readReport } = await import('./read-report.ts');
    const report = await readReport(name, {
      ...options,
      filter: attemptFilter(options),
      limit: options.limit ?? (options.json ? Number.POSITIVE_INFINITY : DEFAULT_LIST_LIMIT),
      signal: interruptSignal(),
    });
    return exitCode(report);
  },
};

/** 1 when something failed, 0 when everything worked, 3 when nothing could be judged. */
export function exitCode({ summary }: Pick<CaptureReport, 'summary'>): number {
  if (summary.failed > 0) return EXIT_CAUSE_FOUND;
  return (summary.outcomes.established ?? 0) > 0 ? EXIT_NOTHING_WRONG : EXIT_UNDECIDED;
}
