import type { HealthyHost } from './healthy-host.ts';

const SERVER = 'server';

/** Firewalls and address translation that let connections through. */
export const HEALTHY_RULES: readonly HealthyHost[] = [
  {
    name: 'big-ruleset',
    what: 'hundreds of rules, a set, a policy that drops, and one rule that lets the port in',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet filter {
  set allowed { type inet_service; elements = { 22, 80, ${port} } }
  chain services { ${Array.from({ length: 300 }, (_, index) => `udp dport ${40_000 + index} counter drop`).join('\n')}
    tcp dport @allowed counter accept
  }
  chain input { type filter hook input priority 0; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iifname "lo" accept
    meta l4proto { icmp, ipv6-icmp } accept
    jump services
  }
}`,
        },
      ],
    }),
  },
  {
    name: 'dnat-to-backend',
    what: 'the port is translated to another host, which answers',
    plan: ({ port, nftFamily, family, serverGateway }) => ({
      steps: [
        { on: 'router', listen: { name: 'backend', port: port + 1 } },
        { on: SERVER, sysctl: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } },
        {
          on: SERVER,
          nft: `table ${nftFamily} nat {
  chain prerouting { type nat hook prerouting priority -100; tcp dport ${port} counter dnat to ${family === 6 ? `[${serverGateway}]` : serverGateway}:${port + 1}; }
  chain postrouting { type nat hook postrouting priority 100; tcp dport ${port + 1} counter masquerade; }
}`,
        },
      ],
    }),
  },
  {
    name: 'redirect-to-live-port',
    what: 'the port is redirected to another, where a service listens',
    plan: ({ port, nftFamily }) => ({
      listener: { port: port + 1 },
      steps: [
        {
          on: SERVER,
          nft: `table ${nftFamily} nat { chain prerouting { type nat hook prerouting priority -100; tcp dport ${port} counter redirect to :${port + 1}; } }`,
        },
      ],
    }),
  },
  {
    name: 'synproxy',
    what: 'a synproxy that is set up as documented',
    families: [4],
    requires: ['nft synproxy'],
    plan: ({ port }) => ({
      listener: { address: '0.0.0.0' },
      steps: [
        { on: SERVER, sysctl: { 'net.netfilter.nf_conntrack_tcp_loose': 0 } },
        {
          on: SERVER,
          nft: `table ip shield {
  chain raw { type filter hook prerouting priority -300; tcp dport ${port} tcp flags syn notrack; }
  chain input { type filter hook input priority 0;
    tcp dport ${port} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    ct state invalid drop
  }
}`,
        },
      ],
    }),
  },
  {
    name: 'connection-limit-not-reached',
    what: 'a rule that allows five connections of each client, of which two are open',
    plan: ({ port, nftFamily }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table ${nftFamily} limits {
  set peers { type ${nftFamily === 'ip' ? 'ipv4' : 'ipv6'}_addr; size 1024; flags dynamic; }
  chain input { type filter hook input priority 0; tcp dport ${port} ct state new add @peers { ${nftFamily} saddr ct count over 5 } counter drop; }
}`,
        },
        { on: 'client', connect: { count: 2 } },
      ],
    }),
  },
  {
    name: 'rate-limit-not-reached',
    what: 'a limit on new connections that is far away',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet limits { chain input { type filter hook input priority 0; tcp dport ${port} tcp flags syn limit rate over 1000/second burst 100 packets counter drop; } }`,
        },
      ],
      attempt: { count: 5 },
    }),
  },
  {
    name: 'first-syn-lost',
    what: 'the first SYN is lost on the way, the second is answered',
    plan: ({ port }) => ({
      steps: [
        {
          on: 'router',
          nft: `table inet loss { chain forward { type filter hook forward priority 0; tcp dport ${port} tcp flags syn limit rate 1/hour burst 1 packets drop; } }`,
        },
      ],
    }),
  },
  {
    name: 'echo-blocked',
    what: 'the server does not answer pings',
    plan: () => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet quiet { chain input { type filter hook input priority 0; icmp type echo-request drop; icmpv6 type echo-request drop; } }`,
        },
      ],
    }),
  },
  {
    name: 'log-rules',
    what: 'rules that only write logs and count',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet audit { chain input { type filter hook input priority 0; tcp dport ${port} tcp flags syn log prefix "new: " counter; } }`,
        },
      ],
    }),
  },
  {
    name: 'output-policy-drop',
    what: 'a policy that drops what goes out, but not answers',
    plan: () => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet egress { chain output { type filter hook output priority 0; policy drop;
    oifname "lo" accept
    meta l4proto { icmp, ipv6-icmp } accept
    ct state established,related accept
  }
}`,
        },
      ],
    }),
  },
  {
    name: 'container-nat',
    what: 'the chains that a container engine makes, with a port of another container',
    plan: ({ port, nftFamily, family }) => ({
      steps: [
        { on: SERVER, sysctl: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } },
        {
          on: SERVER,
          nft: `table ${nftFamily} nat {
  chain DOCKER { iifname "docker0" return
    tcp dport ${port + 7} dnat to ${family === 4 ? '172.17.0.2:80' : '[fd00:17::2]:80'}
  }
  chain prerouting { type nat hook prerouting priority -100; fib daddr type local jump DOCKER; }
  chain output { type nat hook output priority -100; fib daddr type local jump DOCKER; }
  chain postrouting { type nat hook postrouting priority 100; oifname != "docker0" ${nftFamily} saddr ${family === 4 ? '172.17.0.0/16' : 'fd00:17::/64'} masquerade; }
}
table ${nftFamily} filter {
  chain USER { counter return; }
  chain forward { type filter hook forward priority 0; policy drop; jump USER; ct state established,related accept; iifname "docker0" accept; }
}`,
        },
      ],
    }),
  },
  {
    name: 'connection-tracking',
    what: 'a stateful firewall that drops what is invalid',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet state { chain input { type filter hook input priority 0; policy accept;
    ct state invalid counter drop
    ct state established,related accept
    tcp dport ${port} ct state new accept
  }
}`,
        },
        { on: 'client', connect: { count: 10, then: 'close' } },
      ],
    }),
  },
];
