import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { formatCount } from '../../../src/model/text.ts';
import type { IncidentRow } from '../api/types.ts';
import { Ago, Lasting } from './ago.tsx';
import { CauseLink, ServiceName, StateTag } from './marks.tsx';

/** Incidents, one a row. */
export function IncidentTable({
  incidents,
  marked = -1,
}: {
  readonly incidents: readonly IncidentRow[];
  /** Row that the keyboard has reached. */
  readonly marked?: number;
}): JSX.Element {
  const body = useRef<HTMLTableSectionElement>(null);
  useLayoutEffect(() => {
    if (marked >= 0) body.current?.querySelectorAll<HTMLAnchorElement>('a.sentence')[marked]?.focus();
  }, [marked]);
  return (
    <table class="cards incidents">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">What happened</th>
          <th scope="col">Service</th>
          <th scope="col" class="num">
            Attempts
          </th>
          <th scope="col">Lasted</th>
          <th scope="col">Last seen</th>
        </tr>
      </thead>
      <tbody ref={body}>
        {incidents.map((incident) => (
          <tr key={incident.id}>
            <td class="state">
              <StateTag incident={incident} />
            </td>
            <th scope="row">
              <a class="sentence" href={`/incidents/${incident.id}`}>
                {incident.sentence}
              </a>
              <p class="meta">
                <span class="number">#{incident.id}</span> <CauseLink incident={incident} />
              </p>
            </th>
            <td data-name="Service">
              <ServiceName service={incident.service} />
            </td>
            <td data-name="Attempts" class="num">
              {formatCount(incident.attempts)}
            </td>
            <td data-name="Lasted" class="short">
              <Lasting from={incident.firstAt} to={incident.lastAt} />
            </td>
            <td data-name="Last seen" class="short">
              <Ago at={incident.lastAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
