import { expect, it } from 'vitest';
import type { IncidentRow } from '../api/types.ts';
import { placeIncidents } from './lanes.ts';

function incident(id: number, first: number, last: number): IncidentRow {
  const part = { id, firstAt: new Date(first).toISOString(), lastAt: new Date(last).toISOString() };
  return part as unknown as IncidentRow;
}

function ids(incidents: readonly IncidentRow[], widthPx = 1000): number[][] {
  return placeIncidents(incidents, 0, 1000, widthPx).lanes.map((lane) => lane.map((placed) => placed.incident.id));
}

it('puts incidents apart from each other into one lane', () => {
  expect(ids([incident(1, 0, 100), incident(2, 500, 600)])).toEqual([[2, 1]]);
});

it('gives names room: on a narrow screen each has a lane of its own', () => {
  expect(ids([incident(1, 0, 100), incident(2, 500, 600)], 260)).toEqual([[2], [1]]);
});

it('leaves out what ended before and what has not begun, and cuts at the edges', () => {
  const { lanes } = placeIncidents(
    [incident(1, -50, -10), incident(2, -50, 100), incident(3, 2000, 3000)],
    0,
    1000,
    1000,
  );
  expect(lanes.flat()).toMatchObject([{ incident: { id: 2 }, left: 0, width: 0.1 }]);
});

it('counts what finds no lane', () => {
  const many = Array.from({ length: 9 }, (_, index) => incident(index, 0, 1000));
  expect(placeIncidents(many, 0, 1000, 1000)).toMatchObject({ omitted: 3, lanes: { length: 6 } });
});

it('names what ends at the right edge on its left', () => {
  const [lane] = placeIncidents([incident(1, 900, 1000)], 0, 1000, 1000).lanes;
  expect(lane?.[0]?.before).toBe(true);
});
