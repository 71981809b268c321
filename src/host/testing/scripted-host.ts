import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { LINKTYPE_LINUX_SLL2 } from '../../formats/wire/numbers.ts';
import type { BuiltPacket } from '../../formats/wire/testing/packets.ts';
import {
  type CommandResult,
  type ConnectOutcome,
  type Host,
  type HostCapture,
  HostError,
  type HostStream,
} from '../host.ts';

/** What a {@link ScriptedHost} answers; of a list, the n-th time the n-th, and the last one repeats. */
export interface Script {
  readonly files?: Readonly<Record<string, string | readonly string[]>>;
  readonly directories?: Readonly<Record<string, readonly string[]>>;
  readonly commands?: Readonly<Record<string, string>>;
  readonly streams?: Readonly<Record<string, readonly string[]>>;
  /** Packets with the link `sll2`. */
  readonly packets?: readonly BuiltPacket[];
  readonly connect?: ConnectOutcome;
}

/** A host that answers by a script. */
export class ScriptedHost implements Host {
  readonly spec: string = 'local';
  private readonly script: Script;
  private readonly asked = new Map<string, number>();
  private clock = 1_800_000_000_000_000_000n;

  constructor(script: Script) {
    this.script = script;
  }

  async readFile(path: string): Promise<string> {
    const text = this.script.files?.[path];
    if (text === undefined) throw new HostError('not-found', `${path} cannot be read: no such file or directory`);
    if (typeof text === 'string') return text;
    const asked = this.asked.get(path) ?? 0;
    this.asked.set(path, asked + 1);
    return text[Math.min(asked, text.length - 1)] ?? '';
  }

  async listDirectory(path: string): Promise<readonly string[]> {
    const names = this.script.directories?.[path];
    if (names === undefined) throw new HostError('not-found', `${path} cannot be listed: no such file or directory`);
    return names;
  }

  async run(argv: readonly string[]): Promise<CommandResult> {
    const stdout = this.script.commands?.[argv.join(' ')];
    if (stdout === undefined)
      throw new HostError('no-permission', `${argv[0]} may not be run`, { hint: 'run as root' });
    return { exitCode: 0, stdout, stderr: '' };
  }

  stream(argv: readonly string[]): HostStream {
    const pieces = this.script.streams?.[argv.join(' ')] ?? [];
    return {
      chunks: (async function* () {
        for (const piece of pieces) yield new TextEncoder().encode(piece);
      })(),
      stop: () => {},
    };
  }

  async capture(): Promise<HostCapture> {
    const { packets } = this.script;
    if (packets === undefined)
      throw new HostError('no-permission', 'packets cannot be captured', { hint: 'run as root' });
    const bytes = pcapFile(
      packets.map(({ timeNs, bytes, wireBytes }) => ({ timeNs, bytes, wireBytes })),
      {
        linkType: LINKTYPE_LINUX_SLL2,
        nanosecond: true,
      },
    );
    return {
      ready: Promise.resolve(),
      lost: () => 3,
      stop: () => {},
      chunks: (async function* () {
        for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50);
      })(),
    };
  }

  async connect(): Promise<ConnectOutcome> {
    const { connect } = this.script;
    if (connect === undefined) throw new HostError('failed', 'nothing connects');
    return connect;
  }

  async nowNs(): Promise<bigint> {
    this.clock += 1_000_000n;
    return this.clock;
  }

  async close(): Promise<void> {}
}
