import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import { CLIENT_ATTEMPT, failedAttempt } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-no-usable-source',
  title: 'The client has no usable source address',
  place: 'client',
  step: 'client-route',
  sides: ['client'],
  needs: ['attempt', 'addresses'],
  wants: ['sysctls', 'outgoingRoute'],
  assess({ attempt, addresses, sysctls, outgoingRoute }) {
    const errno = attempt.connect?.errno;
    if (attempt.side !== 'client' || errno === undefined || attempt.family !== 6) return [];
    const global = addresses.filter(
      ({ family, scope, device }) => family === 6 && scope === 'global' && device !== 'lo',
    );
    const usable = global.filter(({ flags }) => !flags.includes('tentative') && !flags.includes('dadfailed'));
    const linkLocal = attempt.client.address.startsWith('fe80:') && !attempt.server.address.startsWith('fe80:');
    if (usable.length > 0 && !linkLocal) {
      return [
        contradicts('conclusive', 'addresses', `${usable[0]?.address} on ${usable[0]?.device} can be used as source`),
      ];
    }
    const evidence = [];
    const disabled = sysctlNumber(sysctls, 'net.ipv6.conf.all.disable_ipv6') === 1;
    if (errno === 'EADDRNOTAVAIL') {
      evidence.push(
        supports(
          'conclusive',
          'addresses',
          global.length === 0
            ? 'no interface has a global IPv6 address'
            : `every global IPv6 address is ${[...new Set(global.flatMap(({ flags }) => flags))].join(', ')}`,
        ),
      );
      if (disabled) evidence.push(supports('strong', 'sysctls', 'net.ipv6.conf.all.disable_ipv6 = 1'));
    } else if (linkLocal && attempt.syns > 0) {
      evidence.push(
        supports(
          'conclusive',
          'attempt',
          `the SYN left with the link-local source ${attempt.client.address}, which no router forwards`,
        ),
      );
    } else if (disabled && outgoingRoute?.ok !== true) {
      evidence.push(supports('strong', 'sysctls', 'IPv6 is disabled (net.ipv6.conf.all.disable_ipv6 = 1)'));
    } else if (global.length === 0 && outgoingRoute?.ok === true) {
      evidence.push(supports('moderate', 'addresses', 'no interface has a global IPv6 address'));
    }
    return evidence;
  },
  sentence({ attempt, sysctls }) {
    if (sysctlNumber(sysctls, 'net.ipv6.conf.all.disable_ipv6') === 1)
      return `IPv6 is disabled on this host, so it has no source address for ${attempt.server.address}`;
    return `This host has no global IPv6 address from which it could reach ${attempt.server.address}`;
  },
  remedies({ sysctls }) {
    const disabled = sysctlNumber(sysctls, 'net.ipv6.conf.all.disable_ipv6') === 1;
    return [
      {
        id: 'give-source',
        title: disabled
          ? 'Enable IPv6 and let it be configured again'
          : 'Give an interface a global address: by router advertisement, DHCPv6 or hand',
        risk: 'medium',
        auto: 'never',
        changes: disabled
          ? [{ kind: 'sysctl', key: 'net.ipv6.conf.all.disable_ipv6', value: '0' }]
          : [{ kind: 'advice', text: 'ip -6 addr show scope global; are router advertisements accepted (accept_ra)?' }],
      },
    ];
  },
  explanation: `
A packet needs a source address. With IPv6 disabled, or when every address is tentative or has failed duplicate address detection, \`connect()\` fails with
EADDRNOTAVAIL. When only link-local addresses are left, the kernel takes one of them even for a destination beyond the link; the first router then
answers "beyond scope of source address" (ICMPv6 type 1 code 2), and \`connect()\` fails with EHOSTUNREACH.

Be sure: \`ip -6 addr show scope global\` is empty, or \`sysctl net.ipv6.conf.all.disable_ipv6\` is 1.

Linux 6.18: \`ipv6_dev_get_saddr()\`.
`,
  confusedWith: [
    {
      id: 'ephemeral-ports-exhausted',
      toldApartBy: 'the same errno, but there are addresses and the ports are used up',
    },
  ],
  scenario: {
    families: [6],
    variants: ['link-local'],
    plan: ({ client, clientDevice, clientPrefix, ip }, variant) => ({
      steps:
        variant === 'link-local'
          ? [
              {
                on: 'client',
                run: [...ip, 'addr', 'del', `${client}/${clientPrefix.split('/')[1] ?? '64'}`, 'dev', clientDevice],
              },
              {
                on: 'client',
                run: [...ip, 'route', 'replace', 'default', 'via', 'fe80::1', 'dev', clientDevice],
                mayFail: true,
              },
            ]
          : [{ on: 'client', sysctl: { 'net.ipv6.conf.all.disable_ipv6': 1 } }],
      expect:
        variant === 'link-local'
          ? { server: null, client: ['client-no-usable-source', 'client-neighbour-unresolved', 'client-no-route'] }
          : { server: null },
    }),
  },
  examples: [
    {
      name: 'IPv6 is disabled',
      given: {
        attempt: { ...failedAttempt('EADDRNOTAVAIL'), family: 6, server: { address: '2001:db8::1', port: 443 } },
        addresses: [
          { family: 4, address: '198.51.100.7', prefixLength: 24, device: 'eth0', scope: 'global', flags: [] },
        ],
        sysctls: { 'net.ipv6.conf.all.disable_ipv6': '1' },
      },
      expect: 'confirmed',
    },
    {
      name: 'there is a global address',
      given: {
        attempt: {
          ...CLIENT_ATTEMPT,
          family: 6,
          client: { address: '2001:db8:7::7', port: 50204 },
          server: { address: '2001:db8::1', port: 443 },
        },
        addresses: [
          { family: 6, address: '2001:db8:7::7', prefixLength: 64, device: 'eth0', scope: 'global', flags: [] },
        ],
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc6724', 'net/ipv6/addrconf.c: ipv6_dev_get_saddr()'],
});
