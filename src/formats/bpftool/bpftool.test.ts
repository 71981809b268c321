import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseBpfCgroup, parseBpfLinks, parseBpfNet, parseBpfPrograms } from './bpftool.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/bpftool/${name}`, import.meta.url), 'utf8');
}

test('programs', () => {
  const programs = parseBpfPrograms(fixture('prog-cgroup.json'))!;
  const of = (name: string): unknown => programs.find((program) => program.name === name)?.type;
  expect([of('xdp_drop'), of('tc_shot'), of('deny_in'), of('deny_connect'), of('no_lookup')]).toEqual([
    'xdp',
    'sched_cls',
    'cgroup_skb',
    'cgroup_sock_addr',
    'sk_lookup',
  ]);
  expect(parseBpfPrograms('[]')).toEqual([]);
  expect(parseBpfPrograms('{"error":"can\'t get next program: Operation not permitted"}')).toBeUndefined();
});

test('programs of interfaces', () => {
  expect(parseBpfNet(fixture('net-xdp.json'))).toMatchObject([
    { device: 'eth0', hook: 'xdp', kind: 'driver', id: expect.any(Number) },
    { device: 'eth1', hook: 'xdp', kind: 'generic' },
  ]);
  expect(parseBpfNet(fixture('net-tc.json'))).toMatchObject([
    { device: 'eth0', hook: 'tc', kind: 'clsact/ingress', name: 'tc_shot:[*fsobj]' },
    { device: 'eth0', hook: 'tc', kind: 'clsact/egress' },
  ]);
  expect(parseBpfNet(fixture('net-tcx.json'))).toEqual([
    { device: 'eth0', hook: 'tc', kind: 'tcx/ingress', id: 4600, name: 'cil_from_netdev' },
  ]);
});

test('programs of cgroups', () => {
  expect(parseBpfCgroup(fixture('cgroup-show.json'))).toMatchObject([
    { attachType: 'cgroup_inet_ingress', name: 'deny_in' },
    { attachType: 'cgroup_inet4_connect', name: 'deny_connect' },
  ]);
  expect(parseBpfCgroup(fixture('cgroup-show-effective.json'))).toEqual(parseBpfCgroup(fixture('cgroup-show.json')));
  expect(parseBpfCgroup('')).toEqual([]);
});

test('links', () => {
  expect(parseBpfLinks(fixture('link.json'))).toMatchObject([
    { type: 'xdp' },
    {
      type: 'netns',
      attachType: 'sk_lookup',
      namespaceInode: Number(fixture('link-netns.txt')),
      programId: expect.any(Number),
    },
    { type: '11' },
  ]);
});
