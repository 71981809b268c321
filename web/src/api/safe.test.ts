import { expect, it } from 'vitest';
import { safe } from './safe.ts';

it('makes what could act or hide visible, however deep it lies', () => {
  const answer = { incidents: [{ process: '\u202egnp.exe\u0000\u001b[2J', port: 443, cause: null, open: true }] };
  expect(safe(answer)).toEqual({
    incidents: [{ process: '\\u{202e}gnp.exe\\x00\\x1b[2J', port: 443, cause: null, open: true }],
  });
});

it('cuts what is too long to be looked at', () => {
  expect(safe('x'.repeat(100_000)).length).toBeLessThan(5000);
});
