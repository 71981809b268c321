import { expect, it } from 'vitest';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { packets } from '../../formats/wire/testing/packets.ts';
import { foreignAnswers } from './foreign-answers.ts';
import { LiveHandshakes } from './live-handshakes.ts';

const CLIENT = { address: '10.0.0.1', port: 40000 };
const SERVER = { address: '10.0.0.2', port: 443 };
const SYN = '0.0 10.0.0.1:40000 > 10.0.0.2:443 S 1000';

function answers(text: string, clientIsn = 1000): unknown {
  const built = [
    ...packets(SYN, { link: 'sll2', outgoing: true }),
    ...packets(text, { link: 'sll2', outgoing: false }),
  ];
  const live = new LiveHandshakes(443);
  live.push(pcapFile(built, { linkType: 276, nanosecond: true }));
  return foreignAnswers(live.history, { client: CLIENT, server: SERVER, clientIsn });
}

it('finds who else answers the SYN, and how often', () => {
  const text = '0.1 10.0.0.9:443 > 10.0.0.1:40000 S. 5 ack 1001\n+1 10.0.0.9:443 > 10.0.0.1:40000 S. 5 ack 1001';
  expect(answers(text)).toEqual([{ address: '10.0.0.9', port: 443, count: 2 }]);
});

it('takes neither the server itself, nor answers to another SYN, nor resets', () => {
  expect(answers('0.1 10.0.0.2:443 > 10.0.0.1:40000 S. 5 ack 1001')).toEqual([]);
  expect(answers('0.1 10.0.0.9:443 > 10.0.0.1:40000 S. 5 ack 2001')).toEqual([]);
  expect(answers('0.1 10.0.0.9:443 > 10.0.0.1:40001 S. 5 ack 1001')).toEqual([]);
  expect(answers('0.1 10.0.0.9:443 > 10.0.0.1:40000 R. 5 ack 1001')).toEqual([]);
});
