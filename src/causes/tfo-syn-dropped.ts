import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { retriedAttempt, retriesOf } from './shared-retry.ts';

export const cause: Cause = defineCause({
  id: 'tfo-syn-dropped',
  title: 'A SYN with data or a Fast Open option is dropped, one without is answered',
  place: 'path',
  step: 'path-out',
  survivable: true,
  sides: ['client'],
  needs: ['attempt'],
  wants: ['counters'],
  assess({ attempt, counters }) {
    const retries = retriesOf(attempt);
    if (retries === undefined) return [];
    const { first, answered, lost } = retries;
    const asked = first.payloadBytes > 0 || attempt.synOptions?.fastOpen !== undefined;
    if (!asked)
      return [contradicts('conclusive', 'attempt', 'the first SYN carried neither data nor a Fast Open option')];
    if (answered === first)
      return [contradicts('conclusive', 'attempt', 'the SYN with the Fast Open option was answered')];
    if (answered === undefined || lost.length === 0) return [];
    const evidence = [
      supports(
        'strong',
        'attempt',
        `the SYN with ${first.payloadBytes > 0 ? `${first.payloadBytes} bytes of data` : 'a Fast Open option'} got no answer, the repeated one without it did at once`,
      ),
    ];
    if (watched(attempt, counters) && grown(counters, 'TcpExtTCPFastOpenActiveFail') > 0) {
      evidence.push(
        supports('conclusive', 'counters', `TCPFastOpenActiveFail +${grown(counters, 'TcpExtTCPFastOpenActiveFail')}`),
      );
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `SYNs with Fast Open data to ${attempt.server.address} are lost on the way; the connection comes up only when the kernel tries without`;
  },
  remedies() {
    return [
      {
        id: 'disable-fast-open',
        title: 'Switch Fast Open off on the client',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_fastopen', value: '0' }],
      },
    ];
  },
  explanation: `
With TCP Fast Open the SYN carries an option and data. Some middleboxes drop it. The client repeats the SYN without both, and the connection comes up a second late; the kernel counts
\`TCPFastOpenActiveFail\`, and after some of these stops asking for a while (\`tcp_fastopen_blackhole_timeout_sec\`).

Be sure: the capture shows a SYN with data unanswered and an empty one answered. Linux 6.18: \`tcp_fastopen_active_disable_ofo_check()\`, \`tcp_retransmit_skb()\`.
`,
  confusedWith: [{ id: 'path-firewall-drop-syn', toldApartBy: 'SYNs without data are not answered either' }],
  scenario: {
    impossible: 'the attempt that synscope makes does not use Fast Open: the SYN with data is that of another program',
  },
  examples: [
    {
      name: 'answered without data',
      given: { attempt: retriedAttempt([{ payloadBytes: 120 }, {}], true) },
      expect: 'likely',
    },
    { name: 'no Fast Open', given: { attempt: retriedAttempt([{}, {}], true) }, expect: 'ruled-out' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc7413', 'net/ipv4/tcp_fastopen.c'],
});
