import { expect, it } from 'vitest';
import { pathWithin } from './paths.ts';

const ORIGIN = 'http://127.0.0.1:7321';

it.each([
  ['/incidents/42', '/incidents/42'],
  ['/incidents?state=open', '/incidents?state=open'],
  [null, '/'],
  ['', '/'],
  ['https://evil.example/', '/'],
  ['//evil.example/', '/'],
  ['/\\evil.example/', '/'],
  ['/\t/evil.example/', '/'],
  ['javascript:alert(1)', '/'],
])('goes from %j to %j', (next, path) => {
  expect(pathWithin(next, ORIGIN)).toBe(path);
});
