/**
 * The configuration that `install-service` writes: every setting with its default, switched off by `#`. Prose has one space behind the `#`,
 * settings have none or more.
 */
export const EXAMPLE_CONFIG: string = `# Configuration of "synscope watch". Every setting has a default: those that are switched off below.
# Read when it starts, and anew by: systemctl reload synscope. Explained in docs/watch.md and docs/operations.md.

# Attempts that come to listeners of this machine, and those that it makes. Ports: 443, or 8000-8100.
#listeners:
#  enabled: true
#  ports: []
#  ignorePorts: []
#  ignoreNetworks: []
#outbound:
#  enabled: true
#  ports: []
#  ignorePorts: []
#  ignoreNetworks: []

# Network namespaces (containers): by name, "local", "*", or a beginning such as "cni-*".
#namespaces:
#  include: ['*']
#  exclude: []
#  limit: 256

# When failures become an incident, when it is over, and how much of it is kept.
#incidents:
#  openAfter: 1
#  closeAfter: 2m
#  quietAfter: 30m
#  rediagnoseAfter: 10m
#  samples: 3
#  networks: 20
#  scanPorts: 15
#  floodSyns: 1000

# Dangers before anything fails.
#warnings:
#  enabled: true
#  acceptQueue: 80%
#  conntrack: 90%
#  ephemeralPorts: 90%
#  routeLifetime: 60s

# How long, and how much, history is kept. What comes first counts.
#retention:
#  maxAge: 30d
#  maxSize: 1GB

# Page, API and metrics. On another address than loopback every request needs the token, which belongs
# into a file: head -c 32 /dev/urandom | base64 > /etc/synscope.token (chown root:synscope, chmod 640).
#page:
#  enabled: true
#  listen: 127.0.0.1:7321
#  names: []
#  tokenFile: /etc/synscope.token

#metrics:
#  enabled: true
#  services: 200

# Whom to tell: webhook, command, syslog, otlp.
#alerts:
#  - kind: webhook
#    url: https://chat.example.com/hooks/network
#    secret: what-signs-the-requests
#    when: {kinds: [failure, warning], states: [opened, closed]}
#  - kind: syslog
#    to: unix:/dev/log
#  - kind: otlp
#    url: http://127.0.0.1:4318/v1/logs

# What may be repaired without a person: off, suggest, auto; by cause. "auto" needs the kinds of change in allowKinds:
# sysctl, route, rule, nft-rule, iptables-rule, neighbour, link, address, service.
#remediation:
#  default: suggest
#  causes:
#    no-return-route: auto
#  allowKinds: [route]
#  maxPerHour: 6
#  windows:
#    - {days: [mon, tue, wed, thu, fri], from: '08:00', to: '20:00'}
#  breakAfter: 3
#  dryRun: false

# How much the watch may cost.
#budget:
#  handshakesPerSecond: 500
`;
