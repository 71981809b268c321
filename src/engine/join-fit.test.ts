import { expect, it } from 'vitest';
import { CAUSES } from '../causes/index.ts';
import { PATH_LOCATIONS } from '../model/path.ts';
import { correctedLocation, fitsLocation, isSaidByLocation, speakersFor } from './join-fit.ts';

function allowed(side: 'client' | 'server', location: Parameters<typeof fitsLocation>[2]): string[] {
  return CAUSES.filter((cause) => fitsLocation(cause, side, location)).map(({ id }) => id);
}

it('lets no host speak of what it cannot have done', () => {
  expect(allowed('client', 'server-silent')).not.toContain('client-output-drop');
  expect(allowed('server', 'lost-before-server')).not.toContain('no-return-route');
  expect(allowed('server', 'lost-before-server')).toContain('xdp-drop');
  expect(allowed('server', 'client-rejected-answer')).not.toContain('return-path-lost');
  expect(allowed('client', 'client-rejected-answer')).toContain('client-input-drop');
});

it('leaves everything open where the captures do not tell', () => {
  for (const side of ['client', 'server'] as const) expect(allowed(side, 'unmatched')).toHaveLength(CAUSES.length);
});

it('names causes and speakers that there are', () => {
  const ids = new Set(CAUSES.map(({ id }) => id));
  for (const location of PATH_LOCATIONS) {
    expect([...speakersFor(location)].sort()).toEqual(['client', 'router', 'server']);
    for (const id of ['return-path-lost', 'final-ack-lost', 'syncookie-ack-lost', 'rst-injected']) {
      expect(ids).toContain(id);
      if (isSaidByLocation(id, location)) expect(allowed('server', location)).toContain(id);
    }
  }
});

it('knows a server that resets its own answers from somebody in between', () => {
  expect(allowed('server', 'refused-by-middlebox')).toContain('own-address-source-ipv6');
  expect(correctedLocation('own-address-source-ipv6', 'refused-by-middlebox')).toBe('answer-lost');
  expect(correctedLocation('rst-injected', 'refused-by-middlebox')).toBe('refused-by-middlebox');
});
