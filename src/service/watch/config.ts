import { z } from 'zod';
import type { WatchConfig } from './config-types.ts';
import { duration, listenAddress, network, ports, share, size, timeWindow } from './config-values.ts';

const count = (least: number, most: number): z.ZodType<number> =>
  z
    .number({ error: 'must be a number' })
    .int({ error: 'must be a whole number' })
    .min(least, { error: `must be at least ${least}` })
    .max(most, { error: `must be at most ${most}` });

const text = z.string({ error: 'must be a text' }).min(1, { error: 'must not be empty' });
const flag = z.boolean({ error: 'must be true or false' });
const webAddress = text.refine((value) => /^https?:\/\/[^\s/]+/.test(value), {
  error: 'must be a URL that begins with http:// or https://',
});
const headers = z.record(z.string(), text).default({});

const oneOf = (words: readonly string[]) =>
  z.enum(words as [string, ...string[]], { error: `must be one of ${words.join(', ')}` });

const MODES = ['off', 'suggest', 'auto'];
const mode = oneOf(MODES);

/** Kinds of change that a policy may be allowed (`Change` in src/model/cause.ts); free commands and advice never are. */
const CHANGE_KINDS = [
  'sysctl',
  'route',
  'rule',
  'nft-rule',
  'iptables-rule',
  'neighbour',
  'link',
  'address',
  'service',
];

const direction = z
  .strictObject({
    enabled: flag.default(true),
    ports: ports.default([]),
    ignorePorts: ports.default([]),
    ignoreNetworks: z.array(network).default([]),
  })
  .prefault({});

const alertBase = {
  name: text.optional(),
  when: z
    .strictObject({
      kinds: z.array(oneOf(['failure', 'noise', 'warning'])).optional(),
      states: z.array(oneOf(['opened', 'updated', 'closed'])).optional(),
      causes: z.array(text).optional(),
      ports: ports.optional(),
    })
    .prefault({}),
  template: text.optional(),
  maxPerHour: count(1, 100_000).default(60),
  timeout: duration.default(10_000),
};

const alert = z
  .discriminatedUnion(
    'kind',
    [
      z.strictObject({
        kind: z.literal('webhook'),
        url: webAddress,
        method: oneOf(['POST', 'PUT']).default('POST'),
        headers,
        secret: text.min(8, { error: 'must have at least 8 characters' }).optional(),
        ...alertBase,
      }),
      z.strictObject({
        kind: z.literal('command'),
        command: z.array(z.string(), { error: 'must be a list: the program and its arguments' }).min(1, {
          error: 'must name a program',
        }),
        ...alertBase,
      }),
      z.strictObject({
        kind: z.literal('syslog'),
        to: text
          .refine((value) => /^(udp|tcp):\/\/[^\s/]+:\d{1,5}$|^unix:\/\S+$/.test(value), {
            error: 'must be udp://host:port, tcp://host:port or unix:/dev/log',
          })
          .default('unix:/dev/log'),
        facility: text.default('daemon'),
        ...alertBase,
      }),
      z.strictObject({ kind: z.literal('otlp'), url: webAddress, headers, ...alertBase }),
    ],
    { error: 'must have a kind: webhook, command, syslog or otlp' },
  )
  .transform(({ timeout, ...rest }) => ({ ...rest, timeoutMs: timeout }));

/** What the configuration file may say, with the defaults of all that it does not. Docs: docs/watch.md. */
export const watchConfigSchema: z.ZodType<WatchConfig> = z
  .strictObject({
    listeners: direction,
    outbound: direction,
    namespaces: z
      .strictObject({
        include: z.array(text).default(['*']),
        exclude: z.array(text).default([]),
        limit: count(1, 4096).default(256),
      })
      .prefault({}),
    incidents: z
      .strictObject({
        openAfter: count(1, 1000).default(1),
        closeAfter: duration.default(120_000),
        quietAfter: duration.default(1_800_000),
        rediagnoseAfter: duration.default(600_000),
        samples: count(1, 20).default(3),
        networks: count(1, 1000).default(20),
        scanPorts: count(3, 65_535).default(15),
        floodSyns: count(10, 10_000_000).default(1000),
      })
      .prefault({})
      .transform(({ closeAfter, quietAfter, rediagnoseAfter, ...rest }) => ({
        ...rest,
        closeAfterMs: closeAfter,
        quietAfterMs: quietAfter,
        rediagnoseAfterMs: rediagnoseAfter,
      })),
    warnings: z
      .strictObject({
        enabled: flag.default(true),
        acceptQueue: share.default(0.8),
        conntrack: share.default(0.9),
        ephemeralPorts: share.default(0.9),
        routeLifetime: duration.default(60_000),
      })
      .prefault({})
      .transform(({ routeLifetime, ...rest }) => ({ ...rest, routeLifetimeMs: routeLifetime })),
    retention: z
      .strictObject({ maxAge: duration.default(30 * 86_400_000), maxSize: size.default(1e9) })
      .prefault({})
      .transform(({ maxAge, maxSize }) => ({ maxAgeMs: maxAge, maxBytes: maxSize })),
    page: z
      .strictObject({
        enabled: flag.default(true),
        listen: listenAddress.default('127.0.0.1:7321'),
        token: text.min(16, { error: 'must have at least 16 characters' }).optional(),
        tokenFile: text.optional(),
        names: z.array(text).default([]),
      })
      .prefault({}),
    metrics: z.strictObject({ enabled: flag.default(true), services: count(1, 10_000).default(200) }).prefault({}),
    alerts: z.array(alert).default([]),
    remediation: z
      .strictObject({
        default: mode.default('suggest'),
        causes: z.record(z.string(), mode).default({}),
        allowKinds: z.array(oneOf(CHANGE_KINDS)).default([]),
        maxPerHour: count(1, 1000).default(6),
        windows: z.array(timeWindow).default([]),
        breakAfter: count(1, 100).default(3),
        dryRun: flag.default(false),
      })
      .prefault({}),
    budget: z.strictObject({ handshakesPerSecond: count(10, 1_000_000).default(500) }).prefault({}),
  })
  .prefault({}) as unknown as z.ZodType<WatchConfig>;

/** A configuration that says nothing. */
export function defaultConfig(): WatchConfig {
  return watchConfigSchema.parse({});
}
