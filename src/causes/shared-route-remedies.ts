import type { Remedy } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Route } from '../model/facts/routing.ts';

/** Puts back the route over which the client is answered; the gateway is for a person (or the known configuration) to name. */
export function restoreRoute(attempt: Attempt, routes: readonly Route[] | undefined): Remedy {
  const connected = routes?.find(
    (route) => route.family === attempt.family && route.protocol === 'kernel' && route.type === 'unicast',
  );
  const device = attempt.inDevice ?? connected?.nextHops[0]?.device;
  return {
    id: 'add-default-route',
    title: 'Give the server a route back to the client: its default route, as it was or as its configuration names it',
    risk: 'medium',
    auto: 'with-consent',
    changes: [
      {
        kind: 'route',
        action: 'add',
        family: attempt.family,
        destination: 'default',
        via: 'GATEWAY',
        ...(device === undefined ? {} : { device }),
      },
    ],
  };
}
