import { attemptFilter, CAPTURE_OPTIONS, type CaptureCommandOptions } from './capture-options.ts';
import { type Command, UsageError } from './command.ts';
import { interruptSignal } from './interrupt.ts';
import { checkOutputFiles, isOneOf } from './output-files.ts';
import { exitCode } from './read.ts';

export const command: Command = {
  name: 'compare',
  argument: '<capture...>',
  argumentDescription: 'two or more captures of the same time, the one nearest to the client first',
  summary: 'where was it lost? (two or more captures)',
  examples: [
    ['synscope compare client.pcap server.pcapng', 'lost on the way out, inside the server, or on the way back'],
    ['synscope compare a.pcap b.pcap c.pcap', 'between which two of these points'],
    [
      'synscope compare a.pcap b.pcap --annotate both.pcapng',
      'both merged in corrected time, with comments for Wireshark',
    ],
  ],
  options: CAPTURE_OPTIONS,
  async run(names, given) {
    const options = given as unknown as CaptureCommandOptions;
    if (names.length < 2) throw new UsageError('compare takes two or more captures; for one alone: synscope read FILE');
    if (names.filter((name) => name === '-').length > 1) {
      throw new UsageError('standard input (-) can be only one of the captures');
    }
    for (const [index, name] of names.entries()) {
      if (isOneOf(names.slice(0, index), name)) {
        throw new UsageError(`${name} is a capture that was given before; compare takes those of different points`);
      }
    }
    checkOutputFiles(options, names);
    const { compareReport } = await import('./compare-report.ts');
    return exitCode(
      await compareReport(names, { ...options, filter: attemptFilter(options), signal: interruptSignal() }),
    );
  },
};
