import { describe, expect, it } from 'vitest';
import type { Tunnel } from '../formats/wire/testing/encapsulate.ts';
import type { Handshake } from '../model/handshake.ts';
import { type ConversationOptions, conversation, OVER_IPV6 } from './testing/conversation.ts';
import { trackPackets } from './testing/track.ts';

function only(text: string, options?: ConversationOptions): Handshake {
  const { handshakes } = trackPackets(conversation(text, options));
  expect(handshakes).toHaveLength(1);
  return handshakes[0]!;
}

describe('the options of a SYN', () => {
  it.each([
    ['IPv4', {}],
    ['IPv6', OVER_IPV6],
  ] as const)('of Linux and of its answer, over %s', (_, ends) => {
    const text = `
      0 > S 1000 win 64240 <mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7>
      0.02 < S. 9000 ack 1001 win 65160 <mss 1380,sackOK,TS val 77 ecr 5,nop,wscale 14>`;
    const { clientOptions, serverOptions, segments } = only(text, ends);
    const none = { mptcp: false, md5: false, ao: false, ecnSetup: false };
    const both = { sackPermitted: true, timestamps: true, ...none };
    expect(clientOptions).toEqual({ mssBytes: 1460, windowBytes: 64_240, windowScaleShift: 7, ...both });
    expect(serverOptions).toEqual({ mssBytes: 1380, windowBytes: 65_160, windowScaleShift: 14, ...both });
    expect(segments.map(({ tsval }) => tsval)).toEqual([5, 77]);
  });

  it('may be none at all', () => {
    const { clientOptions, serverOptions } = only('0 > S 1000 win 8192');
    expect(clientOptions).toEqual({
      windowBytes: 8192,
      sackPermitted: false,
      timestamps: false,
      mptcp: false,
      md5: false,
      ao: false,
      ecnSetup: false,
    });
    expect(serverOptions).toBeUndefined();
  });

  it.each([
    ['<mss 1460,mp_capable>', { mptcp: true }],
    ['<mss 1460,mp_join>', { mptcp: true }],
    ['<mss 1460,md5>', { md5: true }],
    ['<mss 1460,ao>', { ao: true }],
    ['<mss 1460,FO>', { fastOpen: 'request' }],
    ['<mss 1460,FO 0011223344556677>', { fastOpen: 'cookie' }],
    ['<mss 1460,FOEXP>', { fastOpen: 'request' }],
    ['<mss 1460,FOEXP 0011223344556677>', { fastOpen: 'cookie' }],
    ['<wscale 0>', { windowScaleShift: 0 }],
    ['<mss 65535>', { mssBytes: 65_535 }],
    ['<mss 0>', { mssBytes: 0 }],
  ])('%s is reported', (options, expected) => {
    expect(only(`0 > S 1000 ${options}`).clientOptions).toMatchObject(expected);
  });

  it('ask for ECN with ECE and CWR, and agree to it with ECE alone', () => {
    const { clientOptions, serverOptions } = only('0 > SEW 1000\n0.02 < S.E 9000 ack 1001');
    expect([clientOptions!.ecnSetup, serverOptions!.ecnSetup]).toEqual([true, true]);
    const refused = only('0 > SEW 1000\n0.02 < S. 9000 ack 1001');
    expect([refused.clientOptions!.ecnSetup, refused.serverOptions!.ecnSetup]).toEqual([true, false]);
  });

  it('are cut where the capture cuts them, and those before the cut count', () => {
    const options = '<mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7>';
    // Ethernet, IPv4 and TCP headers, the MSS, and a half of the next option.
    const { clientOptions } = only(`0 > S 1000 ${options}`, { snapBytes: 14 + 20 + 20 + 4 + 1 });
    expect(clientOptions).toMatchObject({ mssBytes: 1460, sackPermitted: false, timestamps: false, cut: true });
    expect(only(`0 > S 1000 ${options}`).clientOptions).not.toHaveProperty('cut');
  });

  it('are those of the first SYN, not of a retry without them', () => {
    expect(only('0 > S 1000 <mss 1460,FO>\n1 > S 1000').clientOptions).toMatchObject({ fastOpen: 'request' });
  });
});

describe('the encapsulation of an attempt', () => {
  const vxlan: Tunnel = { kind: 'vxlan', from: '192.0.2.1', to: '192.0.2.2', vni: 42 };
  it.each([
    ['none', {}, []],
    ['VLAN', { vlan: [100] }, ['VLAN 100']],
    ['VXLAN in a VLAN', { vlan: [100], tunnels: [vxlan] }, ['VLAN 100', 'VXLAN 42']],
    ['GRE with a key', { tunnels: [{ kind: 'gre', from: '192.0.2.1', to: '192.0.2.2', key: 9 }] }, ['GRE 9']],
    ['IP in IP', { tunnels: [{ kind: 'ipip', from: '192.0.2.1', to: '192.0.2.2' }] }, ['IP-in-IP']],
    ['MPLS', { tunnels: [{ kind: 'mpls', label: 16 }] }, ['MPLS 16']],
    ['Geneve', { tunnels: [{ kind: 'geneve', from: '192.0.2.1', to: '192.0.2.2', vni: 5 }] }, ['Geneve 5']],
  ] as [string, ConversationOptions, string[]][])('is named: %s', (_, options, expected) => {
    const handshake = only('0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001', options);
    expect(handshake).toMatchObject({ outcome: 'established', encapsulation: expected });
  });

  it('may differ between the two directions', () => {
    const [syn] = conversation('0 > S 1000', { vlan: [100] });
    const [, answer, ack] = conversation('0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001');
    expect(trackPackets([syn!, answer!, ack!]).handshakes).toMatchObject([
      { outcome: 'established', encapsulation: ['VLAN 100'] },
    ]);
  });
});
