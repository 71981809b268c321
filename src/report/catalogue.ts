import { type Cause, PATH_STEPS, type PathStep } from '../model/cause.ts';
import type { ExplanationOptions } from './explanation.ts';
import { createTheme, type Span } from './style.ts';
import { section } from './terminal-section.ts';
import { displayWidth } from './width.ts';
import { wrapHanging } from './wrap.ts';

/** Headings of the steps of a handshake. */
export const STEP_TITLES: Readonly<Record<PathStep, string>> = {
  resolve: 'Client: the name becomes an address',
  proxy: 'Client: a proxy in between',
  'client-socket': 'Client: the socket',
  'client-route': 'Client: the route of the SYN',
  'client-filter': 'Client: its firewall, SYN out',
  'client-neighbour': 'Client: the next hop',
  'client-link': 'Client: its interface',
  'path-out': 'On the way to the server',
  'server-link': 'Server: its interface',
  'server-xdp': 'Server: XDP',
  'server-tc-in': 'Server: traffic control, SYN in',
  'server-ip-in': 'Server: the IP layer, SYN in',
  'server-filter-in': 'Server: its firewall, SYN in',
  'server-tcp-in': 'Server: TCP input',
  'server-listener': 'Server: the listener and its queues',
  'server-reply-route': 'Server: the route back',
  'server-reply-out': 'Server: SYN-ACK out',
  'server-reply-neighbour': 'Server: the next hop back',
  'path-back': 'On the way back',
  'client-ip-in': 'Client: the IP layer, SYN-ACK in',
  'client-filter-in': 'Client: its firewall, SYN-ACK in',
  'client-tcp-in': 'Client: TCP input',
  'final-ack': 'The final ACK',
  after: 'After the handshake',
};

const MAX_COLUMNS = 120;

/** Renders causes by the step of the handshake that they stop. */
export function renderCatalogue(causes: readonly Cause[], options: ExplanationOptions): string {
  const theme = createTheme(options);
  const columns = Math.max(40, Math.min(MAX_COLUMNS, options.columns));
  const widest = Math.max(...causes.map(({ id }) => displayWidth(id)));
  const blocks = PATH_STEPS.map((step) => {
    const lines = causes
      .filter((cause) => cause.step === step)
      .flatMap(({ id, title }): Span[][] => {
        const name = theme.span(id, 'command');
        if (columns < widest + 40) {
          return [[theme.span('  '), name], ...wrapHanging([theme.span('      ')], [theme.span(title)], columns)];
        }
        return wrapHanging(
          [theme.span('  '), name, theme.span(' '.repeat(widest - displayWidth(id) + 2))],
          [theme.span(title)],
          columns,
        );
      });
    return section(STEP_TITLES[step], lines, theme);
  });
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((line) => `${theme.paint(line)}\n`).join(''))
    .join('\n');
}
