import type { HealthyHost } from './healthy-host.ts';
import { HEALTHY_ROUTES } from './healthy-routes.ts';
import { HEALTHY_RULES } from './healthy-rules.ts';
import { HEALTHY_SOCKETS } from './healthy-sockets.ts';
import type { Runnable } from './run-scenario.ts';

/** The healthy hosts of the lab. */
export const HEALTHY_HOSTS: readonly HealthyHost[] = [...HEALTHY_SOCKETS, ...HEALTHY_RULES, ...HEALTHY_ROUTES];

/** A healthy host as a scenario: nothing may be found. */
export function healthyScenario({ families, requires, plan }: HealthyHost): Runnable {
  return {
    ...(families === undefined ? {} : { families }),
    ...(requires === undefined ? {} : { requires }),
    plan: (names) => ({ ...plan(names), expect: { server: null, client: null } }),
  };
}
