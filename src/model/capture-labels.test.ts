import { expect, test } from 'vitest';
import { captureLabels } from './capture-labels.ts';

test.each([
  [['client.pcap'], ['client.pcap']],
  [
    ['/tmp/a/client.pcap', './b/server.pcap'],
    ['client.pcap', 'server.pcap'],
  ],
  [
    ['client/trace.pcap', 'server/trace.pcap', 'other.pcap'],
    ['client/trace.pcap', 'server/trace.pcap', 'other.pcap'],
  ],
  [
    ['a.pcap', 'x/a.pcap'],
    ['a.pcap', 'x/a.pcap'],
  ],
  [
    ['same.pcap', 'same.pcap'],
    ['same.pcap', 'same.pcap (2)'],
  ],
  [['-'], ['-']],
])('%j is shown as %j', (paths, labels) => {
  expect(captureLabels(paths)).toEqual(labels);
});
