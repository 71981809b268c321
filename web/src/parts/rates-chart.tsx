import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { paint } from '../lib/theme.ts';
import { clock, exact } from '../lib/time.ts';
import type { Rates } from '../lib/timeline.ts';

/** Room left of both charts for the numbers of their scales; the incidents below are aligned with it. */
const AXIS = 52;
const RIGHT = 20;

/** Handshakes per second: answered above, refused and failed below on a scale of their own, where few still show. */
export function RatesChart({ rates }: { readonly rates: Rates }): JSX.Element {
  const upper = useRef<HTMLDivElement>(null);
  const lower = useRef<HTMLDivElement>(null);
  const charts = useRef<readonly uPlot[]>([]);
  const latest = useRef(rates);
  latest.current = rates;
  const painted = paint.use();
  useEffect(() => {
    const [above, below] = [upper.current, lower.current];
    if (above === null || below === null) return;
    const made = [
      new uPlot(upperOptions(above.clientWidth, latest), upperData(latest.current), above),
      new uPlot(lowerOptions(below.clientWidth, latest), lowerData(latest.current), below),
    ];
    charts.current = made;
    const watcher = new ResizeObserver(() => {
      for (const chart of made) {
        const width = chart.root.parentElement?.clientWidth ?? 0;
        if (width > 0 && width !== chart.width) chart.setSize({ width, height: chart.height });
      }
    });
    watcher.observe(above);
    return () => {
      watcher.disconnect();
      for (const chart of made) chart.destroy();
    };
  }, [painted]);
  useEffect(() => {
    charts.current[0]?.setData(upperData(rates));
    charts.current[1]?.setData(lowerData(rates));
  }, [rates]);
  return (
    <div class="rates" aria-hidden="true">
      <div ref={upper} />
      <div ref={lower} />
    </div>
  );
}

function upperData({ at, answered }: Rates): uPlot.AlignedData {
  return [at, answered];
}

/** Bars of what failed stand before bars of what failed or was refused, so they look stacked. */
function lowerData({ at, failed, refused }: Rates): uPlot.AlignedData {
  return [at, failed.map((rate, index) => rate + (refused[index] ?? 0)), failed];
}

type Latest = { readonly current: Rates };

function upperOptions(width: number, latest: Latest): uPlot.Options {
  const color = colors();
  return {
    ...commonOptions(width, 140, latest),
    axes: [{ show: false }, yAxis(color)],
    series: [{}, { label: 'answered', stroke: color.good, width: 1.5, fill: color.goodFill, points: { show: false } }],
  };
}

function lowerOptions(width: number, latest: Latest): uPlot.Options {
  const color = colors();
  const bars = uPlot.paths.bars?.({ size: [0.86, 24, 1], align: 1 });
  const bar = (label: string, fill: string): uPlot.Series => ({
    label,
    fill,
    width: 0,
    points: { show: false },
    ...(bars === undefined ? {} : { paths: bars }),
  });
  return {
    ...commonOptions(width, 112, latest),
    axes: [
      {
        stroke: color.muted,
        grid: { show: false },
        ticks: { stroke: color.line, width: 1, size: 4 },
        font: color.font,
        size: 28,
        space: 64,
        values: timeTicks,
      },
      yAxis(color),
    ],
    series: [{}, bar('refused', color.warn), bar('failed', color.bad)],
  };
}

function commonOptions(width: number, height: number, latest: Latest): Omit<uPlot.Options, 'series'> {
  return {
    width,
    height,
    padding: [8, RIGHT, 8, 0],
    legend: { show: false },
    cursor: {
      sync: { key: 'rates' },
      y: false,
      drag: { x: false, y: false },
      points: { show: false },
    },
    scales: {
      x: { time: true, range: () => [latest.current.fromMs / 1000, latest.current.toMs / 1000] },
      // A chart of nothing still has a scale, and a single failure does not fill it.
      y: { range: (_, __, max) => [0, Math.max(max * 1.12, 0.1)] },
    },
    hooks: { setCursor: [readOut(latest)] },
  };
}

function yAxis(color: ReturnType<typeof colors>): uPlot.Axis {
  return {
    stroke: color.muted,
    grid: { stroke: color.line, width: 1 },
    ticks: { show: false },
    font: color.font,
    size: AXIS,
    space: 28,
    values: (_, ticks) =>
      ticks.map((tick) => (tick >= 1000 ? `${tick / 1000}k` : String(Math.round(tick * 1000) / 1000))),
  };
}

/** Midnight says which day begins; within a day the time is enough. */
function timeTicks(_: uPlot, ticks: number[]): string[] {
  return ticks.map((seconds) => {
    const text = clock(seconds * 1000);
    if (text === '00:00:00') return exact(seconds * 1000).slice(5, 10);
    return text.endsWith(':00') ? text.slice(0, 5) : text;
  });
}

/** Writes what is under the pointer into the line above the charts. */
function readOut(latest: Latest): (chart: uPlot) => void {
  return (chart) => {
    const line = chart.root.closest('.rates-block')?.querySelector('output');
    if (line === null || line === undefined) return;
    const index = chart.cursor.idx;
    const { at, answered, refused, failed } = latest.current;
    if (index === null || index === undefined || (chart.cursor.left ?? -1) < 0) line.textContent = '';
    else {
      line.textContent = `${exact((at[index] ?? 0) * 1000)}: answered ${perSecond(answered[index])}, refused ${perSecond(refused[index])}, failed ${perSecond(failed[index])}`;
    }
  };
}

/** A rate with about three digits: `310/s`, `4.2/s`, `0.05/s`. */
export function perSecond(rate = 0): string {
  const digits = rate >= 100 ? 0 : rate >= 10 ? 1 : 2;
  return `${Number(rate.toFixed(digits)).toLocaleString('en')}/s`;
}

function colors(): Readonly<Record<'good' | 'goodFill' | 'warn' | 'bad' | 'muted' | 'line' | 'font', string>> {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    good: read('good'),
    goodFill: read('good-fill'),
    warn: read('warn'),
    bad: read('bad'),
    muted: read('muted'),
    line: read('line'),
    // Whole pixels: uPlot scales the number for dense screens.
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
  };
}
