import { expect, it } from 'vitest';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { LINKTYPE_LINUX_SLL } from '../../formats/wire/numbers.ts';
import { packet } from '../../formats/wire/testing/packets.ts';
import { HostError } from '../host.ts';
import { readSll2 } from '../testing/sll2.ts';
import { captureWithTcpdump, type StartStream } from './tcpdump-capture.ts';

/** A tcpdump that says something, writes something, and says something at its end. */
function tcpdump(said: string, bytes: Uint8Array | undefined, last: string = ''): StartStream {
  return (_, onStderr) => ({
    stop: () => {},
    chunks: (async function* () {
      await Promise.resolve();
      onStderr(said);
      if (bytes === undefined) throw new HostError('failed', `tcpdump ended with exit code 1: ${said}`);
      yield bytes;
      onStderr(last);
    })(),
  });
}

const syn = packet('0 10.0.0.1:4000 > 10.0.0.2:443 S 1 win 9', { link: 'sll' });
const old = pcapFile([{ bytes: syn.bytes, timeNs: 5_000_000_000n }], { linkType: LINKTYPE_LINUX_SLL });

it('is asked in plain words when it is too old for others', async () => {
  const asked: (readonly string[])[] = [];
  const capture = await captureWithTcpdump({ port: 443 }, undefined, (argv, onStderr) => {
    asked.push(argv);
    const isModern = argv.includes('--immediate-mode');
    const fake = isModern
      ? tcpdump("tcpdump: unrecognized option '--immediate-mode'", undefined)
      : tcpdump('listening on any\n', old, '7 packets dropped by kernel\n');
    return fake(argv, onStderr);
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of capture.chunks) chunks.push(chunk);
  expect(asked.map((argv) => argv.includes('--time-stamp-precision=nano'))).toEqual([true, false]);
  const [read, ...more] = readSll2(Buffer.concat(chunks));
  expect(more).toEqual([]);
  expect(read).toMatchObject({ protocol: 0x800, timeNs: 5_000_000_000n, bytes: syn.bytes.slice(16) });
  expect(capture.lost()).toBe(7);
});

it.each([
  ["tcpdump: any: You don't have permission to capture on that device", 'no-permission', /use --sudo/],
  ['tcpdump: any: That device is not up', 'failed', undefined],
])('says why it cannot capture: %s', async (said, code, hint) => {
  const error = await captureWithTcpdump({}, undefined, tcpdump(said, undefined)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    name: 'HostError',
    code,
    ...(hint === undefined ? {} : { hint: expect.stringMatching(hint) }),
  });
});

it('says that it is missing', async () => {
  const missing: StartStream = () => ({
    stop: () => {},
    chunks: (async function* (): AsyncGenerator<Uint8Array> {
      yield* [];
      throw new HostError('not-found', 'there is no tcpdump on web7');
    })(),
  });
  await expect(captureWithTcpdump({}, undefined, missing)).rejects.toMatchObject({
    code: 'not-found',
    hint: 'install tcpdump there',
  });
});
