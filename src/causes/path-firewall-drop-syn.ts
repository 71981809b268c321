import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { icmpAttempt } from './shared-icmp.ts';
import { nftChain } from './shared-lab-rules.ts';
import { isSilentBeyond, reachStatement, SILENT_ATTEMPT, SILENT_PROBE } from './shared-path-silence.ts';

export const cause: Cause = defineCause({
  id: 'path-firewall-drop-syn',
  title: 'Something on the way drops the SYN without a word',
  place: 'path',
  step: 'path-out',
  sides: [],
  needs: ['attempt'],
  wants: ['pathProbe'],
  assess({ attempt, pathProbe }) {
    if (attempt.side === 'server') {
      return attempt.syns > 0 ? [contradicts('conclusive', 'attempt', 'the SYN reached this host')] : [];
    }
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'an answer came back')];
    if (!isSilentBeyond(attempt)) return [];
    // Every silent cause on the way and on the server looks like this from here: never more than possible.
    const evidence = [supports('moderate', 'attempt', `${attempt.syns} SYNs left, and nothing came back`)];
    if (pathProbe === undefined) return evidence;
    const reach = reachStatement(pathProbe);
    if (reach !== undefined) evidence.push(supports('weak', 'pathProbe', reach));
    if (pathProbe.closedPort?.answer === 'rst') {
      evidence.push(
        contradicts(
          'weak',
          'pathProbe',
          `port ${pathProbe.closedPort.port} of the same address answers with RST: the way there and back works`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `Something between this host and ${attempt.server.address} drops the SYN, or the server itself does not answer`;
  },
  explanation: `
A filter on the way throws the SYN away and says nothing: a firewall, a cloud security group or network ACL, a scrubber, a rate limit, a source address check of a provider (BCP 38).

From the client it looks like every other silent failure on the way or on the server; about 45 causes share it. What narrows it down: another port, another source, an echo request, SYNs with
a small TTL (how far do they come?). What decides: whether the SYN arrives in a capture on the server, and below XDP there. \`synscope listen PORT --from CLIENT\` on the server, or
\`synscope compare\` with captures from both ends.
`,
  confusedWith: [
    {
      id: 'xdp-drop',
      toldApartBy: 'the SYN reaches the interface of the server, and its own capture does not show it either',
    },
    { id: 'wrong-mac', toldApartBy: 'the frame arrives, addressed to another MAC' },
    { id: 'return-path-lost', toldApartBy: 'the SYN reaches the server, which answers' },
  ],
  scenario: {
    plan: ({ port }) => ({
      steps: [{ on: 'router', nft: nftChain({ hook: 'forward' }, `tcp dport ${port} drop`) }],
      expect: { server: null, client: null },
    }),
  },
  examples: [
    { name: 'silence', given: { attempt: SILENT_ATTEMPT, pathProbe: SILENT_PROBE }, expect: 'possible' },
    {
      name: 'an ICMP error came',
      given: { attempt: icmpAttempt(3, 3, 'Port Unreachable', '203.0.113.1') },
      expect: 'not-indicated',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc2979', 'https://www.rfc-editor.org/info/bcp38'],
});
