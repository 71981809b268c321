/** User and group that the service runs as. */
export const SERVICE_USER = 'synscope';
/** Name of the unit. */
export const UNIT = 'synscope.service';

/** First line of every file that {@link renderUnit} and its kind made: nothing else is ever overwritten. */
export const MADE_BY = '# Made by "synscope install-service".';

/** What a capability is for, in the words of the unit. */
export interface NeededCapability {
  readonly name: string;
  readonly why: string;
}

/** What the service needs, and no more; each was taken away to see what fails (docs/operations.md). */
export const CAPABILITIES: readonly NeededCapability[] = [
  { name: 'CAP_NET_RAW', why: 'captures packets' },
  { name: 'CAP_NET_ADMIN', why: 'reads packet filter rules, conntrack and IPsec; makes repairs' },
  { name: 'CAP_SYS_ADMIN', why: 'enters other network namespaces' },
  { name: 'CAP_SYS_PTRACE', why: 'finds the namespaces of containers, and whose a socket is' },
  { name: 'CAP_DAC_READ_SEARCH', why: 'lists the open files of processes: their names, their limits' },
];

/** What the kernel's own events (tracefs) need in addition: its files belong to root alone. */
export const EVENTS_CAPABILITY: NeededCapability = {
  name: 'CAP_DAC_OVERRIDE',
  why: "makes an instance in tracefs for the kernel's own drop events",
};

/** What differs between machines. */
export interface UnitOptions {
  /** Absolute path of Node. */
  readonly node: string;
  /** Absolute path of bin/synscope.js. */
  readonly program: string;
  readonly config: string;
  /** Whether the service may use the kernel's own events. */
  readonly kernelEvents: boolean;
  /** Whether the kernel's log may be read through the journal: only where there is its group. */
  readonly journal: boolean;
}

/** The systemd unit of `synscope watch`. */
export function renderUnit({ node, program, config, kernelEvents, journal }: UnitOptions): string {
  const needed = kernelEvents ? [...CAPABILITIES, EVENTS_CAPABILITY] : CAPABILITIES;
  const names = needed.map(({ name }) => name).join(' ');
  const width = Math.max(...needed.map(({ name }) => name.length));
  return `${MADE_BY}
# It is written anew each time. Your own settings belong to a drop-in, which stays: systemctl edit ${UNIT}

[Unit]
Description=synscope: why TCP connections do not come up
Documentation=https://www.npmjs.com/package/synscope
After=network.target nss-user-lookup.target
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart=${[node, program, 'watch', '--config', config].map(quoteForUnit).join(' ')}
# It reads its configuration anew.
ExecReload=kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
# A configuration that cannot be used does not get better by itself.
RestartPreventExitStatus=2
# Ctrl-C: it writes down what it knows, and ends.
KillSignal=SIGINT
TimeoutStopSec=30

User=${SERVICE_USER}
Group=${SERVICE_USER}
${journal ? "# Reads the kernel's log.\nSupplementaryGroups=systemd-journal\n" : ''}StateDirectory=synscope
StateDirectoryMode=0700
RuntimeDirectory=synscope
RuntimeDirectoryMode=0750
# Repairs of other users leave their locks there.
RuntimeDirectoryPreserve=yes
Environment=SYNSCOPE_STATE_DIR=%S/synscope
UMask=0077

# Rights: as many as it needs, and none that it could get back.
${needed.map(({ name, why }) => `#   ${name.padEnd(width)}  ${why}`).join('\n')}
CapabilityBoundingSet=${names}
AmbientCapabilities=${names}
NoNewPrivileges=yes

# Files: it writes its own, and the network settings that a repair changes.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ReadWritePaths=/proc/sys/net${kernelEvents ? ' -/sys/kernel/tracing/instances' : ''}
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes

# System calls: networks, files, processes, and the namespaces of other processes.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
RestrictNamespaces=net uts
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
ProtectHostname=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service bpf
SystemCallErrorNumber=EPERM
KeyringMode=private

# It must never be what harms the host.
Nice=5
CPUWeight=50
IOWeight=50
MemoryHigh=384M
MemoryMax=512M
TasksMax=256
LimitNOFILE=16384
OOMScoreAdjust=300

[Install]
WantedBy=multi-user.target
`;
}

/** The user of the service, as sysusers.d(5) says it. */
export function renderSysusers(): string {
  return `${MADE_BY}
u ${SERVICE_USER} - "synscope watch" /var/lib/synscope /usr/sbin/nologin
`;
}

/** A word of a command line in a unit: systemd.service(5), "COMMAND LINES". */
function quoteForUnit(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w./@:+,=%$-]+$/.test(word) ? escaped : `"${escaped.replaceAll(/["\\]/g, '\\$&')}"`;
}
